// Package office reads documents that are zip packages of XML: Word (DOCX),
// PowerPoint (PPTX), Excel (XLSX), OpenDocument (ODT, ODP, ODS) and EPUB. Text
// comes in the manner of Markdown, rows of spreadsheets with tabs between cells.
// A mark stands at each slide, sheet and chapter.
//
// Packages are not trusted. Parts are read as a stream, no entity is expanded,
// nesting is bounded by Limits.Depth, what is unpacked by its size and by what
// the file could honestly hold, whatever sizes the package claims, and the text
// by Limits.Text.
package office
