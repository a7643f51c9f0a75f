// Package report writes what became of a run for machines that watch over it: JUnit's XML, as build servers read it.
package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// Suite is the cases of one notebook.
type Suite struct {
	Name  string // the notebook's file
	Cases []Case
}

// Case is one thing that could fail: a cell, or a claim.
type Case struct {
	Name    string
	Line    int // of the notebook's file, where the cell begins; 0: it is not known
	Time    time.Duration
	Failure string // why it failed; "" for no failure
	Detail  string // of the failure: a stack, what was printed
	Skipped bool   // it was never reached
}

type (
	suitesXML struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Time     string     `xml:"time,attr"`
		Suites   []suiteXML `xml:"testsuite"`
	}
	suiteXML struct {
		Name     string    `xml:"name,attr"`
		Tests    int       `xml:"tests,attr"`
		Failures int       `xml:"failures,attr"`
		Skipped  int       `xml:"skipped,attr"`
		Time     string    `xml:"time,attr"`
		Cases    []caseXML `xml:"testcase"`
	}
	caseXML struct {
		Class   string      `xml:"classname,attr"`
		Name    string      `xml:"name,attr"`
		File    string      `xml:"file,attr"`
		Line    int         `xml:"line,attr,omitempty"`
		Time    string      `xml:"time,attr"`
		Failure *failureXML `xml:"failure"`
		Skipped *struct{}   `xml:"skipped"`
	}
	failureXML struct {
		Message string `xml:"message,attr"`
		Detail  string `xml:",chardata"`
	}
)

// WriteJUnit writes the suites as one XML document, times in seconds.
func WriteJUnit(w io.Writer, suites []Suite) error {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
	var all suitesXML
	var total time.Duration
	for _, s := range suites {
		suite := suiteXML{Name: s.Name, Tests: len(s.Cases)}
		var sum time.Duration
		for _, c := range s.Cases {
			x := caseXML{Class: s.Name, Name: c.Name, File: s.Name, Line: c.Line, Time: seconds(c.Time)}
			switch {
			case c.Skipped:
				x.Skipped = &struct{}{}
				suite.Skipped++
			case c.Failure != "":
				x.Failure = &failureXML{c.Failure, c.Detail}
				suite.Failures++
			}
			sum += c.Time
			suite.Cases = append(suite.Cases, x)
		}
		suite.Time = seconds(sum)
		all.Suites = append(all.Suites, suite)
		all.Tests += suite.Tests
		all.Failures += suite.Failures
		total += sum
	}
	all.Time = seconds(total)
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
