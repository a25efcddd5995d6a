//! The formats of media: Bedrock has words of its own for media types.

use std::borrow::Cow;

use crate::ir::MediaKind;

/// Word and media type; of several with one type the first is told.
const IMAGES: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
];

const DOCUMENTS: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];

const VIDEOS: &[(&str, &str)] = &[
    ("mp4", "video/mp4"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("flv", "video/x-flv"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpeg"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
];

const AUDIO: &[(&str, &str)] = &[
    ("mp3", "audio/mp3"),
    ("mp3", "audio/mpeg"),
    ("opus", "audio/opus"),
    ("wav", "audio/wav"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("mp4", "audio/mp4"),
    ("ogg", "audio/ogg"),
    ("m4a", "audio/m4a"),
    ("webm", "audio/webm"),
];

fn table(kind: MediaKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        MediaKind::Audio => AUDIO,
        MediaKind::Document => DOCUMENTS,
        MediaKind::Image => IMAGES,
        MediaKind::Video => VIDEOS,
    }
}

/// The word for a media type; none: it is not taken.
pub(super) fn of(kind: MediaKind, media_type: &str) -> Option<&'static str> {
    let media_type = media_type.to_ascii_lowercase();
    let known = |(_, known): &&(&str, &str)| *known == media_type;
    table(kind).iter().find(known).map(|(word, _)| *word)
}

/// The media type of a word.
pub(super) fn media_type(kind: MediaKind, word: &str) -> Cow<'static, str> {
    let known = |(known, _): &&(&str, &str)| *known == word;
    match table(kind).iter().find(known) {
        Some((_, media_type)) => Cow::Borrowed(media_type),
        None => {
            let whole = match kind {
                MediaKind::Audio => "audio",
                MediaKind::Document => "application",
                MediaKind::Image => "image",
                MediaKind::Video => "video",
            };
            Cow::Owned(format!("{whole}/{word}"))
        }
    }
}

/// A name for a document: letters, digits, single spaces, hyphens, parentheses and
/// square brackets only.
pub(super) fn document_name(title: &str) -> String {
    /// At most so many characters.
    const LIMIT: usize = 200;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']');
    let mut name = String::with_capacity(title.len().min(LIMIT));
    for c in title.chars().map(|c| if legal(c) { c } else { ' ' }) {
        if name.len() < LIMIT && (c != ' ' || !name.ends_with(' ')) {
            name.push(c);
        }
    }
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_words_for_media_types() {
        assert_eq!(of(MediaKind::Image, "image/PNG"), Some("png"));
        assert_eq!(of(MediaKind::Image, "image/tiff"), None);
        assert_eq!(of(MediaKind::Document, "text/plain"), Some("txt"));
        assert_eq!(media_type(MediaKind::Video, "three_gp"), "video/3gpp");
        assert_eq!(media_type(MediaKind::Audio, "pcm"), "audio/pcm");
    }

    #[test]
    fn names_of_documents_have_legal_characters_only() {
        assert_eq!(
            document_name("report  (v1.2)_final.pdf"),
            "report (v1 2) final pdf"
        );
        assert_eq!(document_name("日本"), "");
        assert_eq!(document_name(&"x".repeat(300)).len(), 200);
    }
}
