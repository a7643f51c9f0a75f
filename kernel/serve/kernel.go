// Package serve is the kernel's side of Jupyter's messaging protocol: it listens where the connection file says, checks
// messages, hands requests to an interpreter and publishes what comes of them.
package serve

import (
	"context"
	"errors"
)

// Kernel interprets what the front end asks. Execute is called for one request at a time, and so are Complete and
// Inspect; all other calls may be concurrent. A method that panics gives an error to the front end.
type Kernel interface {
	// Info describes the kernel. It returns at once.
	Info() Info

	// Execute runs a request and returns why it failed; nil where it did not. When the front end interrupts, ctx ends,
	// with ErrInterrupted as its cause. Requests of white space alone do not get here.
	Execute(ctx context.Context, r Request, out *Output) *Failure

	// IsComplete says whether code can be executed: "complete", "incomplete" (then the next line begins with indent),
	// "invalid" or "unknown". It returns at once.
	IsComplete(code string) (status, indent string)

	// Complete completes the code at the cursor, which is a number of code points between 0 and the code's length.
	Complete(ctx context.Context, code string, cursor int) (Completion, error)

	// Inspect explains what is at the cursor, in more detail where detail is 1.
	Inspect(ctx context.Context, code string, cursor, detail int) (Inspection, error)
}

// Info describes a kernel and its language.
type Info struct {
	Implementation, Version string
	Banner                  string
	Language                Language
	HelpLinks               []Link
}

// Language describes a programming language to editors.
type Language struct {
	Name          string `json:"name"`
	Version       string `json:"version"`
	MIMEType      string `json:"mimetype"`
	FileExtension string `json:"file_extension"`
	Lexer         string `json:"pygments_lexer,omitempty"`
	Mode          string `json:"codemirror_mode,omitempty"`
}

// Link is an entry of the front end's menu Help.
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// Request is code to execute.
type Request struct {
	Code                             string
	Cell                             string // the notebook's identifier of the cell; "" where there is none
	Count                            int    // the execution's number
	Silent, StoreHistory, AllowStdin bool
}

// Failure is why code failed.
type Failure struct {
	Name, Value string
	Traceback   []string // lines for people to read, perhaps with colours of a terminal
}

// Completion is what can stand in place of the code points from Start to End.
type Completion struct {
	Start, End int
	Matches    []Match
}

// Match is one of the texts that can stand there, with what it is ("function", "module", …) and its signature, either
// of which may be "".
type Match struct{ Text, Kind, Signature string }

// Inspection explains a piece of code, by type of content ("text/plain", …). Without data nothing was found.
type Inspection struct{ Data, Metadata map[string]any }

// ErrInterrupted is the cause of the end of an execution's context where the front end interrupted it.
var ErrInterrupted = errors.New("interrupted")

// ErrNoInput is the error of a question that the front end cannot be asked.
var ErrNoInput = errors.New("the front end gives no input")
