package play

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// JUnit returns results as a JUnit report: a suite for each scenario and a case
// for each meter. took is how long each run was on the wall clock.
func JUnit(results []*Result, took []time.Duration) ([]byte, error) {
	report := junitReport{Name: "commshub sim run"}
	for i, r := range results {
		suite := junitSuite{Name: r.File, Time: seconds(took[i])}
		for j := range r.Meters {
			m := &r.Meters[j]
			c := junitCase{Name: m.Name, Class: strings.TrimSuffix(r.File, ".yaml"), Time: seconds(took[i])}
			for _, f := range r.Failures {
				if f.Meter == m.Name {
					c.Failures = append(c.Failures, junitFailure{Message: f.Expectation + ": " + f.Got, Text: f.String()})
				}
			}
			suite.Tests++
			if len(c.Failures) > 0 {
				suite.Failures++
			}
			suite.Cases = append(suite.Cases, c)
		}
		report.Tests += suite.Tests
		report.Failures += suite.Failures
		report.Suites = append(report.Suites, suite)
	}
	text, err := xml.MarshalIndent(report, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }

type junitReport struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name     string         `xml:"name,attr"`
	Class    string         `xml:"classname,attr"`
	Time     string         `xml:"time,attr"`
	Failures []junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}
