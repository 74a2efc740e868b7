# What `conftest test` needs to judge a dossier by the built-in bundle: it asks
# package main for denials and knows no other answer.
package main

import data.decision

deny contains $"{finding.control}: {finding.message}" if {
	some finding in decision.findings
	finding.status == "fail"
}
