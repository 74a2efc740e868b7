package schemas_test

import (
	"bytes"
	"math"
	"strconv"
	"testing"

	"github.com/changevouch/changevouch/schemas"
)

func TestCanonical(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		// The examples of RFC 8785, sections 3.2.2 and 3.2.3, in this order;
		// its literal null is out, because no document of ours holds one.
		{"values", `{
			"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
			"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
			"literals": [true, false]
		}`, `{"literals":[true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{"key order", `{
			"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
			"1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
		}`, "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		{"layout", " [ 1 , {} , [ ] ] ", `[1,{},[]]`},
		{"no escape for markup and line separators", `"<&>\u2028\u2029\u007f"`, "\"<&>\u2028\u2029\u007f\""},
		{"minus zero", `[-0, -0.0, 0e5]`, `[0,0,0]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc, faults := schemas.Parse([]byte(test.doc))
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			if got := string(doc.Canonical()); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestCanonicalNumbers has the table of RFC 8785, appendix B.
func TestCanonicalNumbers(t *testing.T) {
	tests := []struct{ bits, want string }{
		{"0000000000000000", "0"}, {"8000000000000000", "0"},
		{"0000000000000001", "5e-324"}, {"8000000000000001", "-5e-324"},
		{"7fefffffffffffff", "1.7976931348623157e+308"}, {"ffefffffffffffff", "-1.7976931348623157e+308"},
		{"4340000000000000", "9007199254740992"}, {"c340000000000000", "-9007199254740992"},
		{"4430000000000000", "295147905179352830000"},
		{"7fffffffffffffff", ""}, {"7ff0000000000000", ""},
		{"44b52d02c7e14af5", "9.999999999999997e+22"}, {"44b52d02c7e14af6", "1e+23"}, {"44b52d02c7e14af7", "1.0000000000000001e+23"},
		{"444b1ae4d6e2ef4e", "999999999999999700000"}, {"444b1ae4d6e2ef4f", "999999999999999900000"}, {"444b1ae4d6e2ef50", "1e+21"},
		{"3eb0c6f7a0b5ed8c", "9.999999999999997e-7"}, {"3eb0c6f7a0b5ed8d", "0.000001"},
		{"41b3de4355555553", "333333333.3333332"}, {"41b3de4355555554", "333333333.33333325"}, {"41b3de4355555555", "333333333.3333333"},
		{"41b3de4355555556", "333333333.3333334"}, {"41b3de4355555557", "333333333.33333343"},
		{"becbf647612f3696", "-0.0000033333333333333333"}, {"43143ff3c1cb0959", "1424953923781206.2"},
	}
	for _, test := range tests {
		bits, err := strconv.ParseUint(test.bits, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		got, err := schemas.Canonical(math.Float64frombits(bits))
		if string(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %s (%v), want %s", test.bits, got, err, test.want)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for _, v := range []any{"\xff", struct{}{}, []any{map[string]any{"a": make(chan int)}}, map[string]any{"\xff": 1}} {
		if got, err := schemas.Canonical(v); err == nil {
			t.Errorf("%v gave %s", v, got)
		}
	}
}

// FuzzCanonical: the canonical form of a canonical form is itself.
func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1.5e3,"\u0007"],"a":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, faults := schemas.Parse(text)
		if len(faults) > 0 {
			return
		}
		once := doc.Canonical()
		again, faults := schemas.Parse(once)
		if len(faults) > 0 {
			t.Fatalf("%s: %v", once, faults)
		}
		if twice := again.Canonical(); !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s", once, twice)
		}
	})
}
