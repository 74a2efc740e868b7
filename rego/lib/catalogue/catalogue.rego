# METADATA
# title: Catalogue
# description: Every control - those of this bundle, and those that a bundle laid beside it keeps under a name of its own.
# scope: package
package lib.catalogue

controls[id] := row if some id, row in data.catalogue.controls

controls[id] := row if {
	some owner, part in data.catalogue
	not owner in {"clauses", "controls", "frameworks", "policy"}
	some id, row in part.controls
}
