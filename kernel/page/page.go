// Package page writes a notebook as a web page that needs nothing but itself.
package page

import (
	"bytes"
	"html"

	"lucigo/kernel/notebook"
)

// Write writes nb as a page into file.
func Write(file string, nb *notebook.Notebook) error {
	var b bytes.Buffer
	for _, c := range nb.Cells {
		b.WriteString("<pre>" + html.EscapeString(c.Source) + "</pre>")
		for _, o := range c.Outputs {
			b.WriteString("<pre>" + html.EscapeString(o.Text) + "</pre>")
		}
	}
	return notebook.WriteFile(file, b.Bytes())
}
