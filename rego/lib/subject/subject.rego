# METADATA
# title: Subject
# description: The names by which waivers and attestations may speak of what is judged.
# scope: package
package lib.subject

# covered: whether an exact name or a pattern with asterisks means this subject.
covered(pattern) if {
	some name in names
	glob.match(pattern, null, name)
}

covered(pattern) if pattern in names

names contains input.subject.id

names contains input.finding.id

names contains input.alert.id

names contains input.change.id

names contains $"{input.change.repository}#{input.change.pull_request.number}" if {
	input.change.repository
	input.change.pull_request.number
}

# For a change inside a deployment, the deployment too.
names contains input.deployment.id
