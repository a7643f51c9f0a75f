package report

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"
)

func TestWriteJUnit(t *testing.T) {
	suites := []Suite{
		{Name: "a.ipynb", Cases: []Case{
			{Name: "cell 1", Time: Seconds(1500 * time.Millisecond)},
			{Name: `claim: a < b & "c"`, Failure: &Failure{"0.9 >= 1", "stack\x1b[7m <here>"}},
			{Name: "cell 2", Skipped: &Skipped{"not reached"}},
			{Name: "cell 3", Note: "failed, as it may"},
		}},
		{Name: "b.ipynb"},
	}
	var b bytes.Buffer
	if err := WriteJUnit(&b, suites); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Time  string `xml:"time,attr"`
			Name  string `xml:"name,attr"`
			Skip  int    `xml:"skipped,attr"`
			Cases []struct {
				Class   string `xml:"classname,attr"`
				Name    string `xml:"name,attr"`
				Time    string `xml:"time,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
					Detail  string `xml:",chardata"`
				} `xml:"failure"`
				Skipped *Skipped `xml:"skipped"`
				Note    string   `xml:"system-out"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v:\n%s", err, b.Bytes())
	}
	if got.Tests != 4 || got.Failures != 1 || len(got.Suites) != 2 || got.Suites[0].Skip != 1 || got.Suites[0].Time != "1.500" {
		t.Errorf("counts are wrong:\n%s", b.Bytes())
	}
	cases := got.Suites[0].Cases
	if cases[0].Failure != nil || cases[0].Time != "1.500" || cases[0].Class != "a.ipynb" {
		t.Errorf("the first case is %+v", cases[0])
	}
	if f := cases[1].Failure; f == nil || cases[1].Name != `claim: a < b & "c"` || f.Message != "0.9 >= 1" || !strings.Contains(f.Detail, "<here>") {
		t.Errorf("the second case is %+v", cases[1])
	}
	if cases[2].Skipped == nil || cases[2].Skipped.Message != "not reached" || cases[2].Failure != nil || cases[2].Note != "" {
		t.Errorf("the third case is %+v", cases[2])
	}
	if cases[3].Skipped != nil || cases[3].Failure != nil || cases[3].Note != "failed, as it may" {
		t.Errorf("the fourth case is %+v", cases[3])
	}
}

// TestWhatXMLCannotHold: whatever a cell prints, the report is XML that others read, and of a bounded size.
func TestWhatXMLCannotHold(t *testing.T) {
	for _, text := range []string{"\x1b[31mred\x1b[0m", "\x00\x01\x0b", "\xff\xfe", "\ufffe\uffff", "]]>", "a\r\nb\tc", "<&\"'>", "\x1b]8;;http://x\x07link", strings.Repeat("é\x1b", 1<<20)} {
		var b bytes.Buffer
		if err := WriteJUnit(&b, []Suite{{Name: text[:min(len(text), 100)], Cases: []Case{{Name: "n", Failure: NewFailure("m "+text, "d "+text), Note: "x"}}}}); err != nil {
			t.Fatal(err)
		}
		if i := bytes.IndexFunc(b.Bytes(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0xfffe || r == 0xffff }); i >= 0 {
			t.Errorf("%.30q: byte %d of the report is %q", text, i, b.Bytes()[i:i+1])
		}
		for _, entity := range []string{"&#x1B;", "&#x0;", "&#27;"} {
			if strings.Contains(b.String(), entity) {
				t.Errorf("%.30q: the report holds %s", text, entity)
			}
		}
		var v struct {
			Detail string `xml:"testsuite>testcase>failure"`
		}
		if err := xml.Unmarshal(b.Bytes(), &v); err != nil || !strings.HasPrefix(v.Detail, "d ") || len(v.Detail) > 200<<10 {
			t.Errorf("%.30q: %v, a detail of %d bytes", text, err, len(v.Detail))
		}
	}
	if f := NewFailure("\x1b[1;31mm\x1b[0m", "a"+strings.Repeat("x", 1<<20)+"z"); f.Message != "m" || !strings.HasPrefix(f.Detail, "a") || !strings.HasSuffix(f.Detail, "z") || !strings.Contains(f.Detail, "960 KiB are left out") {
		t.Errorf("%q, %d bytes", f.Message, len(f.Detail))
	}
}
