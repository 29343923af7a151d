package office

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
)

// packed is a package of files given as name, content, name, content.
func packed(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(data []byte, l media.Limits) (media.Part, error) {
	f := &media.File{Name: "d", Size: int64(len(data)), Head: data[:min(len(data), media.SniffBytes)], ReaderAt: bytes.NewReader(data)}
	parts, err := decode(context.Background(), f, l.WithDefaults())
	if err != nil {
		return media.Part{}, err
	}
	return parts[0], nil
}

// rels is a part of relations given as id, kind, target.
func rels(list ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><Relationships xmlns="r">`)
	for i := 0; i < len(list); i += 3 {
		fmt.Fprintf(&b, `<Relationship Id="%s" Type="http://schemas/%s" Target="%s"/>`, list[i], list[i+1], list[i+2])
	}
	return b.String() + "</Relationships>"
}

func docx(t testing.TB, body string, more ...string) []byte {
	return packed(t, append([]string{
		"[Content_Types].xml", "<Types/>",
		"_rels/.rels", rels("rId1", "officeDocument", "word/document.xml"),
		"word/document.xml", `<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="w"><w:body>` + body + `</w:body></w:document>`,
	}, more...)...)
}

func run(text string) string { return `<w:r><w:t xml:space="preserve">` + text + `</w:t></w:r>` }
func par(text string) string { return `<w:p>` + run(text) + `</w:p>` }

func TestWord(t *testing.T) {
	cell := func(s string) string { return "<w:tc>" + par(s) + "</w:tc>" }
	item := func(s string, level int) string {
		return fmt.Sprintf(`<w:p><w:pPr><w:numPr><w:ilvl w:val="%d"/><w:numId w:val="1"/></w:numPr></w:pPr>%s</w:p>`, level, run(s))
	}
	data := docx(t,
		`<w:p><w:pPr><w:pStyle w:val="berschrift1"/></w:pPr>`+run("Head &amp; more")+`</w:p>`+
			`<w:p><w:pPr><w:tabs><w:tab w:pos="1"/></w:tabs></w:pPr>`+run("One ")+run("two")+`<w:r><w:tab/></w:r>`+run("three.")+
			`<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:footnoteReference w:id="2"/></w:r></w:p>`+
			item("a", 0)+item("b", 1)+
			`<w:tbl><w:tr>`+cell("k")+cell("v")+`</w:tr><w:tr>`+cell("x")+cell("1")+`</w:tr></w:tbl>`+
			`<w:p><mc:AlternateContent><mc:Choice>`+run("box")+`</mc:Choice><mc:Fallback>`+run("box again")+`</mc:Fallback></mc:AlternateContent><w:r><w:br/></w:r>`+run("line")+`</w:p>`,
		"word/_rels/document.xml.rels", rels("rId1", "styles", "styles.xml", "rId2", "footnotes", "/word/footnotes.xml"),
		"word/styles.xml", `<w:styles><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style></w:styles>`,
		"word/footnotes.xml", `<w:footnotes><w:footnote w:id="0"><w:p/></w:footnote><w:footnote w:id="2">`+par("A note.")+`</w:footnote></w:footnotes>`)
	p, err := read(data, media.Limits{})
	const want = "# Head & more\n\nOne two three.[^2]\n\n- a\n  - b\n\nk | v\nx | 1\n\nbox\nline\n\n[^2]: A note.\n"
	if err != nil || string(p.Text) != want {
		t.Errorf("%q, %v", p.Text, err)
	}
}

func TestTalk(t *testing.T) {
	slide := func(title, text string) string {
		return `<p:sld xmlns:p="p" xmlns:a="a"><p:sp><p:nvSpPr><p:nvPr><p:ph type="title"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>` + title +
			`</a:t></a:r></a:p></p:txBody></p:sp><p:sp><p:txBody><a:p><a:r><a:t>` + text + `</a:t></a:r></a:p><a:p><a:r><a:t>more</a:t></a:r></a:p></p:txBody></p:sp></p:sld>`
	}
	files := []string{
		"[Content_Types].xml", "<Types/>", "_rels/.rels", rels("rId1", "officeDocument", "ppt/presentation.xml"),
		"ppt/presentation.xml", `<p:presentation><p:sldIdLst><p:sldId id="256" r:id="rId2"/><p:sldId id="257" r:id="rId1"/></p:sldIdLst></p:presentation>`,
		"ppt/_rels/presentation.xml.rels", rels("rId1", "slide", "slides/slide1.xml", "rId2", "slide", "slides/slide2.xml"),
		"ppt/slides/slide1.xml", slide("Last", "b"), "ppt/slides/slide2.xml", slide("First", "a"),
		"ppt/slides/_rels/slide2.xml.rels", rels("rId1", "notesSlide", "../notesSlides/n.xml"),
		"ppt/notesSlides/n.xml", `<p:notes><p:sp><a:p><a:r><a:t>Say this.</a:t></a:r></a:p></p:sp><p:sp><a:p><a:fld type="slidenum"><a:t>1</a:t></a:fld></a:p></p:sp></p:notes>`,
	}
	p, err := read(packed(t, files...), media.Limits{})
	const first = "# First\n\na\nmore\n\nNotes: Say this.\n\n"
	if err != nil || string(p.Text) != first+"# Last\n\nb\nmore\n" || fmt.Sprint(p.Marks) != fmt.Sprintf("[{0 1 -1ns} {%d 2 -1ns}]", len(first)) {
		t.Errorf("%q %v, %v", p.Text, p.Marks, err)
	}
	if _, err := read(packed(t, files...), media.Limits{Pages: 1}); err == nil || !strings.Contains(err.Error(), "2 slides; 1 are read") {
		t.Error(err)
	}
}

func TestWorkbook(t *testing.T) {
	p, err := read(packed(t,
		"[Content_Types].xml", "<Types/>", "_rels/.rels", rels("rId1", "officeDocument", "xl/workbook.xml"),
		"xl/workbook.xml", `<workbook><sheets><sheet name="Sales" sheetId="1" r:id="rId1"/><sheet name="Other" sheetId="2" r:id="rId2"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", rels("rId1", "worksheet", "worksheets/sheet1.xml", "rId2", "worksheet", "worksheets/sheet2.xml", "rId3", "sharedStrings", "sharedStrings.xml", "rId4", "styles", "styles.xml"),
		"xl/sharedStrings.xml", `<sst><si><t>Name</t></si><si><r><t>An</t></r><r><t>n</t></r><rPh><t>no</t></rPh></si></sst>`,
		"xl/styles.xml", `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd&quot;h&quot;"/><numFmt numFmtId="165" formatCode="0.00&quot; days&quot;"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="20"/></cellXfs></styleSheet>`,
		"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>When
?</t></is></c></row>
			<row r="2"><c r="A2" t="s"><v>1</v></c><c r="B2" s="1"><v>45231</v></c><c r="D2" t="b"><v>1</v></c></row>
			<row r="3"/><row r="4"><c r="B4" s="2"><v>45231.5</v></c><c s="3"><v>0.30000000000000004</v></c><c s="4"><v>0.25</v></c><c t="e"><v>#N/A</v></c><c t="s"><v>9</v></c></row></sheetData></worksheet>`,
		"xl/worksheets/sheet2.xml", `<worksheet><sheetData><row><c t="str"><f>A1</f><v>x</v></c></row></sheetData></worksheet>`,
	), media.Limits{})
	const first = "## Sales\n\nName\tWhen ?\nAnn\t2023-11-01\t\tTRUE\n\t2023-11-01 12:00:00\t0.3\t06:00:00\t#N/A\t#REF!\n\n"
	if err != nil || string(p.Text) != first+"## Other\n\nx\n" || fmt.Sprint(p.Marks) != fmt.Sprintf("[{0 1 -1ns} {%d 2 -1ns}]", len(first)) {
		t.Errorf("%q %v, %v", p.Text, p.Marks, err)
	}
}

func TestOpenDocument(t *testing.T) {
	p, err := read(packed(t, "mimetype", "application/vnd.oasis.opendocument.text",
		"content.xml", `<office:document-content><office:body><office:text><text:h text:outline-level="2">Head</text:h><text:p>One<text:s text:c="3"/>two<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>aside</text:p></text:note-body></text:note>.</text:p>
		<text:list><text:list-item><text:p>a</text:p><text:list><text:list-item><text:p>b</text:p></text:list-item></text:list></text:list-item></text:list>
		<table:table><table:table-row><table:table-cell><text:p>k</text:p></table:table-cell><table:table-cell><text:p>v</text:p></table:table-cell></table:table-row></table:table><office:annotation><text:p>no</text:p></office:annotation><text:p>end</text:p></office:text></office:body></office:document-content>`), media.Limits{})
	const want = "## Head\n\nOne   two (aside).\n\n- a\n  - b\n\nk | v\n\nend\n"
	if err != nil || string(p.Text) != want {
		t.Errorf("%q, %v", p.Text, err)
	}
	p, err = read(packed(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet",
		"content.xml", `<d><spreadsheet><table name="S"><table-row><table-cell><p>a</p></table-cell><table-cell number-columns-repeated="2"><p>b</p></table-cell><table-cell number-columns-repeated="1000"/></table-row><table-row><table-cell number-columns-repeated="2"/><table-cell><p>c</p></table-cell></table-row></table></spreadsheet></d>`), media.Limits{})
	if err != nil || string(p.Text) != "## S\n\na\tb\tb\n\t\tc\n" || fmt.Sprint(p.Marks) != "[{0 1 -1ns}]" {
		t.Errorf("%q %v, %v", p.Text, p.Marks, err)
	}
	p, err = read(packed(t, "mimetype", "application/vnd.oasis.opendocument.presentation",
		"content.xml", `<d><presentation><page><frame><p>one</p></frame><notes><p>said</p></notes></page><page><p>two</p></page></presentation></d>`), media.Limits{})
	if err != nil || string(p.Text) != "one\n\nNotes: said\n\ntwo\n" || fmt.Sprint(p.Marks) != "[{0 1 -1ns} {18 2 -1ns}]" {
		t.Errorf("%q %v, %v", p.Text, p.Marks, err)
	}
}

func book(t testing.TB, more ...string) []byte {
	return packed(t, append([]string{
		"mimetype", "application/epub+zip",
		"META-INF/container.xml", `<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>`,
		"OEBPS/book.opf", `<package><metadata><dc:title>The Book</dc:title><dc:creator>A. Writer</dc:creator></metadata><manifest><item id="b" href="text/two%20.xhtml" media-type="application/xhtml+xml"/><item id="a" href="one.xhtml" media-type="application/xhtml+xml"/><item id="p" href="p.png" media-type="image/png"/></manifest><spine><itemref idref="a"/><itemref idref="p"/><itemref idref="b"/></spine></package>`,
		"OEBPS/one.xhtml", `<?xml version="1.0"?><html xmlns="x"><head><title/></head><body><h1>One</h1><p>First&nbsp;text.</p></body></html>`,
		"OEBPS/text/two .xhtml", `<html xmlns="x"><body><p>Second.</p></body></html>`,
	}, more...)...)
}

func TestBook(t *testing.T) {
	p, err := read(book(t, "META-INF/encryption.xml", `<encryption><CipherReference URI="OEBPS/font.ttf"/></encryption>`), media.Limits{})
	if err != nil || string(p.Text) != "# The Book\n\nA. Writer\n\n# One\n\nFirst text.\n\nSecond.\n" || fmt.Sprint(p.Marks) != "[{23 1 -1ns} {43 2 -1ns}]" {
		t.Errorf("%q %v, %v", p.Text, p.Marks, err)
	}
	_, err = read(book(t, "META-INF/encryption.xml", `<encryption><CipherReference URI="OEBPS/text/two%20.xhtml"/></encryption>`), media.Limits{})
	if !errors.Is(err, errEncrypted) {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	lying := docx(t, strings.Repeat(" ", 11<<20))
	// The directory says that the document is small.
	at := bytes.Index(lying, []byte("PK\x01\x02"))
	for range 2 {
		at += 4 + bytes.Index(lying[at+4:], []byte("PK\x01\x02"))
	}
	binary.LittleEndian.PutUint32(lying[at+24:], 1000)
	entities := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><w:document><w:t>&b;</w:t></w:document>`
	for _, c := range []struct {
		name, want string
		data       []byte
		limits     media.Limits
	}{
		{"zip bomb", "unpacks to far more", docx(t, strings.Repeat(" ", 11<<20)), media.Limits{}},
		{"zip bomb that lies", "word/document.xml: zip: not a valid zip file", lying, media.Limits{}},
		{"deep nesting", "word/document.xml: elements nested more than 40 deep", docx(t, strings.Repeat("<a>", 1000)), media.Limits{Depth: 10}},
		{"entities", "invalid character entity", packed(t, "[Content_Types].xml", "<Types/>", "_rels/.rels", rels("r", "officeDocument", "d.xml"), "d.xml", entities), media.Limits{}},
		{"cut XML", "unexpected EOF", packed(t, "[Content_Types].xml", "<Types/>", "_rels/.rels", rels("r", "officeDocument", "d.xml"), "d.xml", "<w:document><w:p>"), media.Limits{}},
		{"elements that cross", "ends nothing", docx(t, "<w:p><w:r></w:p></w:r>"), media.Limits{}},
		{"part that is missing", "d.xml is missing", packed(t, "[Content_Types].xml", "<Types/>", "_rels/.rels", rels("r", "officeDocument", "d.xml")), media.Limits{}},
		{"no document", "without a document", packed(t, "[Content_Types].xml", "<Types/>"), media.Limits{}},
		{"unknown document", "unknown kind", packed(t, "[Content_Types].xml", "<Types/>", "_rels/.rels", rels("r", "officeDocument", "d.xml"), "d.xml", "<drawing/>"), media.Limits{}},
		{"unknown package", "unknown kind", packed(t, "mimetype", "x"), media.Limits{}},
		{"no text", "without text", docx(t, ""), media.Limits{}},
		{"too much text", "more than", docx(t, par(strings.Repeat("x", 100))), media.Limits{Text: 50}},
		{"encrypted ODT", "encrypted", packed(t, "mimetype", "x", "content.xml", "???", "META-INF/manifest.xml", "<m><encryption-data/></m>"), media.Limits{}},
		{"old or encrypted Office", "encrypted or of before 2007", []byte(ole + "\x00\x00"), media.Limits{}},
		{"cut package", "damaged", docx(t, par("x"))[:300], media.Limits{}},
	} {
		if _, err := read(c.data, c.limits); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	data := docx(t, par("x"))
	if _, err := decode(ctx, &media.File{Size: int64(len(data)), ReaderAt: bytes.NewReader(data)}, media.Limits{}.WithDefaults()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzXML puts any bytes into the place of each kind's main part.
func FuzzXML(f *testing.F) {
	for kind, seed := range []string{
		`<w:document><w:p><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>x</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl></w:document>`,
		`<presentation><sldId r:id="rId1"/></presentation>`,
		`<workbook><sheet name="x" r:id="rId1"/></workbook>`,
		`<worksheet><row><c r="ZZ1" s="1"><v>45231.1</v></c></row><sld><sp><ph type="title"/><p><t>x</t></p></sp></sld></worksheet>`,
		`<d><text><h>x</h><p>y<s/></p><list><list-item><p>z</p></list-item></list><table><table-row><table-cell number-columns-repeated="9"><p>t</p></table-cell></table-row></table></text></d>`,
		`<package><metadata><title>x</title></metadata><item id="a" href="d.xml" media-type="html"/><itemref idref="a"/></package>`,
	} {
		f.Add(byte(kind), seed)
	}
	f.Fuzz(func(t *testing.T, kind byte, part string) {
		open := []string{"[Content_Types].xml", "<Types/>", "_rels/.rels", rels("r", "officeDocument", "m.xml"), "_rels/m.xml.rels", rels("rId1", "x", "/worksheets/s.xml", "r2", "styles", "s.xml", "r3", "sharedStrings", "s.xml")}
		var files []string
		switch kind % 6 {
		case 0, 1, 2:
			files = append(open, "m.xml", part, "s.xml", part, "worksheets/s.xml", part)
		case 3:
			files = append(open, "m.xml", `<workbook><sheet name="x" r:id="rId1"/></workbook>`, "worksheets/s.xml", part)
		case 4:
			files = []string{"content.xml", part}
		case 5:
			files = []string{"META-INF/container.xml", `<c><rootfile full-path="d.xml"/></c>`, "d.xml", part}
		}
		read(packed(t, files...), media.Limits{Text: 1 << 20, Depth: 8})
	})
}

func FuzzPackage(f *testing.F) {
	f.Add(docx(f, par("x")))
	f.Add(book(f))
	f.Fuzz(func(t *testing.T, data []byte) { read(data, media.Limits{Text: 1 << 20}) })
}
