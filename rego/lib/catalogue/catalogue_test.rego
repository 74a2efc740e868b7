package tests.catalogue

import data.lib.catalogue

_own := {"ACME-1": {"rule": "acme_1"}}

test_built_in if catalogue.controls["CM-4.B.1"].rule == "cm_4_b_1"

test_own if {
	controls := catalogue.controls with data.catalogue.acme as {"controls": _own}
	controls["ACME-1"].rule == "acme_1"
	controls["CM-4.B.1"].rule == "cm_4_b_1"
}

test_one_without_controls if {
	controls := catalogue.controls with data.catalogue as {"controls": {}, "acme": {"clauses": {}}}
	count(controls) == 0
}

test_no_part_is_read_twice if {
	controls := catalogue.controls with data.catalogue as {"controls": {"controls": _own}, "policy": {"controls": _own}, "clauses": {"controls": _own}, "frameworks": {"controls": _own}}
	controls == {"controls": _own}
}
