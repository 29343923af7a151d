// Package mail reads mail: single messages (.eml) and mbox archives, as the
// header lines that people read and the text of the body, with a mark a message.
// Of a message that comes as text and as HTML the text is taken; attachments are
// named and otherwise left out.
//
// Archives are read as a stream, so that attachments take no memory. Mail is
// rarely quite as the standards want it: a header line that cannot be read is
// passed over, and where a body is damaged the text says so.
package mail
