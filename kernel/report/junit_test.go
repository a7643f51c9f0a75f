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
			{Name: "cell 2", Skipped: &struct{}{}},
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
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v:\n%s", err, b.Bytes())
	}
	if got.Tests != 3 || got.Failures != 1 || len(got.Suites) != 2 || got.Suites[0].Skip != 1 || got.Suites[0].Time != "1.500" {
		t.Errorf("counts are wrong:\n%s", b.Bytes())
	}
	cases := got.Suites[0].Cases
	if cases[0].Failure != nil || cases[0].Time != "1.500" || cases[0].Class != "a.ipynb" {
		t.Errorf("the first case is %+v", cases[0])
	}
	if f := cases[1].Failure; f == nil || cases[1].Name != `claim: a < b & "c"` || f.Message != "0.9 >= 1" || !strings.Contains(f.Detail, "<here>") {
		t.Errorf("the second case is %+v", cases[1])
	}
	if cases[2].Skipped == nil || cases[2].Failure != nil {
		t.Errorf("the third case is %+v", cases[2])
	}
}
