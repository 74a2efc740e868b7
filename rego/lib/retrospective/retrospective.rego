# METADATA
# title: Retrospective
# description: The review of an emergency after implementation (controls CM-5.2).
# scope: package
package lib.retrospective

import data.lib.authorship
import data.lib.clock
import data.lib.deployer
import data.lib.emergency
import data.lib.evidence
import data.lib.people

record := input.change.retrospective_review

completed_at := clock.instant(record.completed_at)

# unread: no review is on record where one may be that was not read, or whose it is
# cannot be told.
unread if {
	not record
	not evidence.complete("attestations", "validations")
}

unread if {
	not record
	not evidence.complete("issues", "records")
}

unread if {
	record.reviewer
	not person
	not people.directory_complete
}

# A review is done once it has a date that has come and a decision.
done if {
	completed_at <= clock.now
	decided
}

decided if not lower(object.get(record, "decision", "")) in {"", "pending", "open", "in_progress"}

accepted if {
	decided
	not lower(record.decision) in {"rejected", "declined", "refused"}
}

late_by := completed_at - emergency.review_due if completed_at > emergency.review_due

person := people.member(record.reviewer)

# dependence says why the reviewer is not independent.
dependence := "the reviewer is not on record" if {
	not record.reviewer
} else := $"{record.reviewer} is not in the directory" if {
	not person
} else := $"{record.reviewer} is no human" if {
	not people.is_human(person)
} else := $"{record.reviewer} was not authorised at {record.completed_at}" if {
	not people.engaged(person, completed_at)
} else := $"{record.reviewer} had a part in the change" if {
	authorship.authors[person.id]
} else := $"{record.reviewer} deployed the change" if {
	person.id in deployer.persons
}

# reviewers: the persons whose retrospective review counts; none or one.
reviewers contains person.id if {
	done
	accepted
	completed_at >= emergency.decisive - clock.skew
	not late_by
	not dependence
}
