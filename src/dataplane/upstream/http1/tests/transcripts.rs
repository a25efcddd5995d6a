//! Answers, and what is to be made of each.

/// The bytes of an answer to a request of a method, until the peer closes.
pub(super) struct Transcript {
    pub(super) what: &'static str,
    pub(super) method: &'static str,
    pub(super) bytes: &'static [u8],
    pub(super) verdict: Verdict,
    pub(super) hyper: Hyper,
}

pub(super) enum Verdict {
    /// A head, and this is all of the body; the connection would be kept, or not.
    Whole(u16, &'static str, bool),
    /// A head, and the body breaks off, with this.
    Broken(&'static str),
    /// No head, with this.
    Refused(&'static str),
}

/// What hyper makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hyper {
    Same,
    /// Something else, which is why.
    Differs(&'static str),
}

use Hyper::{Differs, Same};
use Verdict::{Broken, Refused, Whole};

const fn to(
    method: &'static str,
    what: &'static str,
    bytes: &'static [u8],
    verdict: Verdict,
    hyper: Hyper,
) -> Transcript {
    Transcript {
        what,
        method,
        bytes,
        verdict,
        hyper,
    }
}

const fn on(what: &'static str, bytes: &'static [u8], verdict: Verdict) -> Transcript {
    to("POST", what, bytes, verdict, Same)
}

const fn but(
    what: &'static str,
    bytes: &'static [u8],
    verdict: Verdict,
    why: &'static str,
) -> Transcript {
    to("POST", what, bytes, verdict, Differs(why))
}

const CUT: &str = "end of file before message length reached";
const CLOSED: &str = "connection closed before message completed";
const LENGTH: &str = "invalid content-length header";
const CODING: &str = "unexpected transfer-encoding header";

const TAKES_CODINGS: &str = "hyper gives out the bytes of a coding that nobody undoes";

#[rustfmt::skip]
pub(super) const ALL: &[Transcript] = &[
    // The head: RFC 9112, 2.2, 4 and 5.
    on("a length", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("names in any case", b"HTTP/1.1 200 OK\r\nCONTENT-Length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("no reason", b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("no blank behind the status", b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("a reason in another alphabet", b"HTTP/1.1 200 \xd0\x94\xd0\xb0\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("a status of no name", b"HTTP/1.1 799 Odd\r\ncontent-length: 2\r\n\r\nok", Whole(799, "ok", true)),
    on("an empty value", b"HTTP/1.1 200 OK\r\nx-a:\r\nx-b: \r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("blanks around values", b"HTTP/1.1 200 OK\r\nx-a: \t b c \t\r\ncontent-length:2 \r\n\r\nok", Whole(200, "ok", true)),
    on("a value in another alphabet", b"HTTP/1.1 200 OK\r\nx-a: \xff\xfe\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("one name several times", b"HTTP/1.1 200 OK\r\nset-cookie: a\r\ncontent-length: 2\r\nset-cookie: b\r\n\r\nok", Whole(200, "ok", true)),
    on("lines that end in LF", b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok", Whole(200, "ok", true)),
    on("empty lines before it", b"\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("a CR alone", b"HTTP/1.1 200 OK\r\nx-a: b\rc: d\r\n\r\n", Refused("invalid header value")),
    on("NUL in a value", b"HTTP/1.1 200 OK\r\nx-a: b\0\r\n\r\n", Refused("invalid header value")),
    on("NUL in a name", b"HTTP/1.1 200 OK\r\nx\0a: b\r\n\r\n", Refused("invalid header name")),
    on("a folded value", b"HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\n\r\n", Refused("invalid header name")),
    on("a blank before the colon", b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok", Refused("invalid header name")),
    on("a blank before the first name", b"HTTP/1.1 200 OK\r\n content-length: 2\r\n\r\nok", Refused("invalid header name")),
    on("no colon", b"HTTP/1.1 200 OK\r\ncontent-length 2\r\n\r\nok", Refused("invalid header name")),
    on("no name", b"HTTP/1.1 200 OK\r\n: 2\r\n\r\nok", Refused("invalid header name")),
    on("HTTP/2", b"HTTP/2.0 200 OK\r\n\r\n", Refused("invalid HTTP version")),
    on("HTTP/1.2", b"HTTP/1.2 200 OK\r\n\r\n", Refused("invalid HTTP version")),
    on("HTTP/0.9", b"<html>hello</html>", Refused("invalid HTTP version")),
    on("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n", Refused("invalid HTTP version")),
    on("a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n", Refused("invalid response status")),
    on("a status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n", Refused("invalid response status")),
    on("a status below all", b"HTTP/1.1 099 OK\r\n\r\n", Refused("invalid response status")),
    on("nothing", b"", Refused(CLOSED)),
    on("a cut status line", b"HTTP/1.1 20", Refused(CLOSED)),
    on("a cut head", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", Refused(CLOSED)),
    // Interim answers: RFC 9110, 15.2.
    on("interim answers", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("an interim answer with a length", b"HTTP/1.1 102 Processing\r\ncontent-length: 9\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("only an interim answer", b"HTTP/1.1 100 Continue\r\n\r\n", Refused(CLOSED)),
    but("another protocol agreed on", b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nzzz", Refused("unexpected upgrade of the connection"), "hyper hands over the connection to who asked for it; nobody here does"),
    // Lengths: RFC 9110, 8.6, and RFC 9112, 6.3.
    on("a length of nothing", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Whole(200, "", true)),
    on("a length with zeros", b"HTTP/1.1 200 OK\r\ncontent-length: 0002\r\n\r\nok", Whole(200, "ok", true)),
    on("the same length twice", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("the same length in a list", b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok", Whole(200, "ok", true)),
    on("lengths that differ", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", Refused(LENGTH)),
    on("lengths that differ in a list", b"HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nok", Refused(LENGTH)),
    on("a length with a sign", b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok", Refused(LENGTH)),
    on("a length below nothing", b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok", Refused(LENGTH)),
    on("a length in hexadecimal", b"HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok", Refused(LENGTH)),
    on("a length of no digits", b"HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\nok", Refused(LENGTH)),
    on("a length that overflows", b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\nok", Refused(LENGTH)),
    on("a length that is not reached", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", Broken(CUT)),
    on("more than its length", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", Whole(200, "ok", false)),
    // No body: RFC 9110, 6.4.1.
    to("HEAD", "an answer to HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n", Whole(200, "", true), Same),
    to("HEAD", "an answer to HEAD that would be in chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Whole(200, "", true), Same),
    to("HEAD", "a body in answer to HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Whole(200, "", false), Same),
    on("204", b"HTTP/1.1 204 No Content\r\n\r\n", Whole(204, "", true)),
    but("204 with a length", b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n", Whole(204, "", false), "hyper uses the connection again, and may take a body that comes late for an answer"),
    on("304 with a length", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", Whole(304, "", true)),
    // Until the connection closes: RFC 9112, 6.3.
    on("no length", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Whole(200, "until the end", false)),
    on("no length and nothing", b"HTTP/1.1 200 OK\r\n\r\n", Whole(200, "", false)),
    // Chunks: RFC 9112, 7.1.
    on("chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n", Whole(200, "ok!", true)),
    on("no chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Whole(200, "", true)),
    on("chunked in capitals", b"HTTP/1.1 200 OK\r\nTransfer-Encoding:  CHUNKED\r\n\r\n2\r\nok\r\n0\r\n\r\n", Whole(200, "ok", true)),
    on("sizes with zeros and capitals", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n00A\r\n0123456789\r\n000\r\n\r\n", Whole(200, "0123456789", true)),
    on("blanks behind a size", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2 \t\r\nok\r\n0\r\n\r\n", Whole(200, "ok", true)),
    on("extensions", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b;c=\"d\"\r\nok\r\n0;e\r\n\r\n", Whole(200, "ok", true)),
    on("trailers", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-a: b\r\nx-c: d\r\n\r\n", Whole(200, "ok", true)),
    on("more than the chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP", Whole(200, "ok", false)),
    on("no size", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\nok\r\n0\r\n\r\n", Broken("invalid chunk: no size")),
    on("a size with a sign", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n", Broken("invalid chunk: no size")),
    on("a size with a prefix", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n", Broken("invalid chunk: not a size")),
    on("a blank in a size", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2 0\r\nok\r\n0\r\n\r\n", Broken("invalid chunk: not a size")),
    on("a size that overflows", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000000000000000\r\nok\r\n0\r\n\r\n", Broken("invalid chunk: the size overflows")),
    on("a size that ends in LF", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n", Broken("invalid chunk: not a size")),
    on("extensions that end in LF", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a\nok\r\n0\r\n\r\n", Broken("invalid chunk: a line of its extensions ends in LF")),
    on("a chunk that is longer than its size", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n", Broken("invalid chunk: no line end")),
    on("a chunk that ends in LF", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\n0\r\n\r\n", Broken("invalid chunk: no line end")),
    but("an end in LF", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\n", Broken("invalid chunk: it ends in LF"), "hyper waits for more of what it takes for a trailer"),
    on("trailers that end in LF", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-a: b\nx-c: d\r\n\r\n", Broken("invalid chunk: a line of its trailers ends in LF")),
    on("trailers that are none", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nnone\r\n\r\n", Broken("invalid header name")),
    on("a cut chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nok", Broken(CUT)),
    on("a cut size", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0", Broken(CUT)),
    on("no last chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", Broken(CUT)),
    on("no empty line behind the last chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", Broken(CUT)),
    on("cut trailers", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-a: b\r\n", Broken(CUT)),
    // Codings: RFC 9112, 6.1 and 7.
    but("chunked and a length", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Whole(200, "ok", false), "hyper uses the connection again, and gives out the length that does not count"),
    on("chunked in HTTP/1.0", b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Refused(CODING)),
    but("a coding and chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Refused(CODING), TAKES_CODINGS),
    but("a coding and chunks in two lines", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Refused(CODING), TAKES_CODINGS),
    but("chunks of chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Refused(CODING), TAKES_CODINGS),
    but("a coding behind chunked", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nok", Refused(CODING), TAKES_CODINGS),
    but("a coding alone", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok", Refused(CODING), TAKES_CODINGS),
    but("a coding that is none", b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 2\r\n\r\nok", Refused(CODING), TAKES_CODINGS),
    but("an almost chunked coding", b"HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Refused(CODING), TAKES_CODINGS),
    // The connection: RFC 9112, 9.3.
    on("close", b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", false)),
    on("close among others", b"HTTP/1.1 200 OK\r\nconnection: x, Close\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", false)),
    on("HTTP/1.0", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", false)),
    on("HTTP/1.0 that keeps", b"HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", true)),
    on("HTTP/1.0 that keeps and closes", b"HTTP/1.0 200 OK\r\nconnection: keep-alive, close\r\ncontent-length: 2\r\n\r\nok", Whole(200, "ok", false)),
];
