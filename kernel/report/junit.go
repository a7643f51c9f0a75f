// Package report writes what became of a run for build servers, as JUnit's XML.
package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"lucigo/kernel/notebook"
)

// Suite is the cases of one notebook. WriteJUnit counts them.
type Suite struct {
	Name     string  `xml:"name,attr"` // the notebook's file
	Tests    int     `xml:"tests,attr"`
	Failures int     `xml:"failures,attr"`
	Skipped  int     `xml:"skipped,attr"`
	Time     Seconds `xml:"time,attr"`
	Cases    []Case  `xml:"testcase"`
}

// Case is one thing that could fail: a cell, or a claim. WriteJUnit fills in the notebook.
type Case struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	File    string   `xml:"file,attr"`
	Line    int      `xml:"line,attr,omitempty"` // of the notebook's file, where the cell begins; 0: it is not known
	Time    Seconds  `xml:"time,attr"`
	Failure *Failure `xml:"failure"`              // nil for none
	Skipped *Skipped `xml:"skipped"`              // nil: it ran
	Note    string   `xml:"system-out,omitempty"` // what else is to be said of it
}

// Skipped is why a case did not run.
type Skipped struct {
	Message string `xml:"message,attr"`
}

// Failure is why a case failed.
type Failure struct {
	Message string `xml:"message,attr"`
	Detail  string `xml:",chardata"` // a stack, what was printed; NewFailure bounds it
}

// NewFailure is a failure with plain texts: without a terminal's colours, and of long ones their beginnings and ends.
func NewFailure(message, detail string) *Failure {
	return &Failure{clip(notebook.Plain(message), 4<<10), clip(notebook.Plain(detail), 64<<10)}
}

// clip is text of about limit bytes at most: a quarter of them from its beginning, the others from its end.
func clip(text string, limit int) string {
	cut := len(text) - limit
	if cut <= 0 {
		return text
	}
	head, tail := text[:limit/4], text[limit/4+cut:]
	note := fmt.Sprintf("\n… (%d KiB are left out)\n", cut>>10)
	return strings.ToValidUTF8(head, "") + note + strings.ToValidUTF8(tail, "")
}

// Seconds is a time that is written as JUnit does.
type Seconds time.Duration

// MarshalText writes the time in seconds, with three decimals.
func (s Seconds) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(s).Seconds()), nil
}

// WriteJUnit writes the suites as one XML document.
func WriteJUnit(w io.Writer, suites []Suite) error {
	var all struct {
		XMLName  xml.Name `xml:"testsuites"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Time     Seconds  `xml:"time,attr"`
		Suites   []Suite  `xml:"testsuite"`
	}
	for _, s := range suites {
		s.Tests = len(s.Cases)
		for i := range s.Cases {
			c := &s.Cases[i]
			c.Class, c.File = s.Name, s.Name
			s.Time += c.Time
			if c.Skipped != nil {
				s.Skipped++
			} else if c.Failure != nil {
				s.Failures++
			}
		}
		all.Suites = append(all.Suites, s)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Time += s.Time
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
