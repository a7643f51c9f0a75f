package tex

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// body is the MathML of a formula without what is the same for all.
func body(t *testing.T, formula string) string {
	t.Helper()
	s, err := MathML(formula, false)
	if err != nil {
		t.Errorf("%s: %v", formula, err)
		return ""
	}
	s = strings.TrimPrefix(s, "<math><semantics><mrow>")
	s, _, _ = strings.Cut(s, `</mrow><annotation`)
	return s
}

func TestMathML(t *testing.T) {
	for _, c := range []struct{ formula, want string }{
		{`x`, `<mi>x</mi>`},
		{`x^2`, `<msup><mi>x</mi><mn>2</mn></msup>`},
		{`x^12`, `<msup><mi>x</mi><mn>1</mn></msup><mn>2</mn>`},
		{`x_i^{n+1}`, `<msubsup><mi>x</mi><mi>i</mi><mrow><mi>n</mi><mo>+</mo><mn>1</mn></mrow></msubsup>`},
		{`x^2_i`, `<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>`},
		{`x'`, `<msup><mi>x</mi><mo>′</mo></msup>`},
		{`f''_i`, `<msubsup><mi>f</mi><mi>i</mi><mo>′′</mo></msubsup>`},
		{`0.5.`, `<mn>0.5</mn><mo>.</mo>`},
		{`a-b`, `<mi>a</mi><mo>−</mo><mi>b</mi>`},
		{`\frac12`, `<mfrac><mn>1</mn><mn>2</mn></mfrac>`},
		{`\frac{\partial S}{\partial x}`, `<mfrac><mrow><mi>∂</mi><mi>S</mi></mrow><mrow><mi>∂</mi><mi>x</mi></mrow></mfrac>`},
		{`\sqrt[3]{x}`, `<mroot><mrow><mi>x</mi></mrow><mrow><mn>3</mn></mrow></mroot>`},
		{`\sqrt x`, `<msqrt><mi>x</mi></msqrt>`},
		{`\sum_{i=1}^n`, `<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>`},
		{`\sum\limits_i x`, `<munder><mo>∑</mo><mi>i</mi></munder><mi>x</mi>`},
		{`\int_0^1`, `<msubsup><mo>∫</mo><mn>0</mn><mn>1</mn></msubsup>`},
		{`\max_x`, `<munder><mo movablelimits="true" lspace="0.17em" rspace="0.17em">max</mo><mi>x</mi></munder>`},
		{`\operatorname{arg\,max}_c`, `<msub><mo lspace="0.17em" rspace="0.17em">arg max</mo><mi>c</mi></msub>`},
		{`\hat x`, `<mover accent="true"><mi>x</mi><mo>^</mo></mover>`},
		{`\mathbb{RN}`, `<mi>ℝℕ</mi>`},
		{`\mathcal N`, `<mi>𝒩</mi>`},
		{`\mathbf{x1}`, `<mi>𝐱𝟏</mi>`},
		{`\text{if } y`, `<mtext>if </mtext><mi>y</mi>`},
		{`\|x\|_2`, `<mo stretchy="false">‖</mo><mi>x</mi><msub><mo stretchy="false">‖</mo><mn>2</mn></msub>`},
		{`\left(x\right.`, `<mrow><mo fence="true" stretchy="true" form="prefix">(</mo><mrow><mi>x</mi></mrow></mrow>`},
		{`\begin{pmatrix}a&b\\c&d\end{pmatrix}`, `<mrow><mo fence="true" stretchy="true" form="prefix">(</mo><mtable>` +
			`<mtr><mtd style="text-align:center"><mrow><mi>a</mi></mrow></mtd><mtd style="text-align:center"><mrow><mi>b</mi></mrow></mtd></mtr>` +
			`<mtr><mtd style="text-align:center"><mrow><mi>c</mi></mrow></mtd><mtd style="text-align:center"><mrow><mi>d</mi></mrow></mtd></mtr>` +
			`</mtable><mo fence="true" stretchy="true" form="postfix">)</mo></mrow>`},
		{`\Delta\nabla\alpha`, `<mi mathvariant="normal">Δ</mi><mi mathvariant="normal">∇</mi><mi>α</mi>`},
		{`\not=`, `<mo>=` + "\u0338" + `</mo>`},
		{`\iint_A`, `<msub><mo>∬</mo><mi>A</mi></msub>`},
		{`\check x\oslash\varphi`, `<mover accent="true"><mi>x</mi><mo>ˇ</mo></mover><mo>⊘</mo><mi>φ</mi>`},
		{`a\sqsubseteq\mho`, `<mi>a</mi><mo>⊑</mo><mo>℧</mo>`},
		{`\text{a~b\ c}`, `<mtext>a b c</mtext>`},
		{`a<b`, `<mi>a</mi><mo>&lt;</mo><mi>b</mi>`},
	} {
		if got := body(t, c.formula); got != c.want {
			t.Errorf("%s\n gives %s\n want  %s", c.formula, got, c.want)
		}
	}
	s, err := MathML("x", true)
	if err != nil || !strings.HasPrefix(s, `<math display="block">`) {
		t.Errorf("display: %s, %v", s, err)
	}
}

func TestUnknownIsAnError(t *testing.T) {
	for _, c := range []struct{ formula, want string }{
		{`\foo{x}`, `\foo is not known`},
		{`\it x`, `\it is not known`},
		{`\notfoo`, `\notfoo is not known`},
		{`\frac{1}`, "argument is missing"},
		{`{x`, `before the "}"`},
		{`x}`, `"}" is out of place`},
		{`x^`, "argument is missing"},
		{`x^1^2`, "two scripts"},
		{`\left(x`, `before the "right"`},
		{`\begin{cases}x`, `before the "cell"`},
		{`\begin{cases}x\end{matrix}`, `ends with \end{matrix}`},
		{`\begin{poem}x\end{poem}`, "not known"},
		{`\mathbb{α}`, "no letter in that alphabet"},
		{`\text{\foo}`, "a command within"},
		{`a & b`, "out of place"},
		{strings.Repeat("{", 50) + strings.Repeat("}", 50), "nested more than"},
		{strings.Repeat(`\hat`, 50) + "x", "nested more than"},
		{strings.Repeat("x", 5000), "tex: the formula has 5000 bytes, must have at most 4096"},
		{`\`, "out of place"},
		{"\xff", "not UTF-8"},
	} {
		if s, err := MathML(c.formula, false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s: %q, %v, want %q", c.formula, s, err, c.want)
		}
	}
}

// wellFormed parses s as XML and calls each for every element.
func wellFormed(s string, each func(xml.StartElement)) error {
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := t.(xml.StartElement); ok {
			each(e)
		}
	}
}

// FuzzMathML holds that no formula makes anything but MathML: well-formed, no element or attribute from outside.
func FuzzMathML(f *testing.F) {
	for _, s := range []string{`\text{<script>}`, `\frac{a}{b}_c^{d'}`, `\left\{\begin{cases}a&b\\c\end{cases}\right.`, `\operatorname{"onload=}`, `\mathcal{L}(x)<&`, `\big( \not< \sqrt[n]{x}`} {
		f.Add(s)
	}
	elements := " math semantics annotation mrow mi mn mo mtext mspace msub msup msubsup munder mover munderover mfrac msqrt mroot mtable mtr mtd "
	attributes := " display encoding mathvariant stretchy movablelimits lspace rspace accent accentunder minsize maxsize fence form style width "
	f.Fuzz(func(t *testing.T, formula string) {
		s, err := MathML(formula, true)
		if err != nil {
			return
		}
		if strings.ContainsAny(formula, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\ufffe\uffff") {
			return // XML has no way to write these; HTML, which is what pages are, has.
		}
		err = wellFormed(s, func(e xml.StartElement) {
			if !strings.Contains(elements, " "+e.Name.Local+" ") {
				t.Errorf("%q makes an element %s", formula, e.Name.Local)
			}
			for _, a := range e.Attr {
				if !strings.Contains(attributes, " "+a.Name.Local+" ") {
					t.Errorf("%q makes an attribute %s", formula, a.Name.Local)
				}
			}
		})
		if err != nil {
			t.Errorf("%q: %v: %s", formula, err, s)
		}
	})
}
