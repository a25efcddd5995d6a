//! What a client wants to be embedded, whatever its words.

use crate::ApiError;
use crate::dropped::Dropped;
use crate::object::invalid;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// Never empty, nor is any text.
    pub(super) inputs: Vec<Input>,
    /// Where these are, for errors.
    pub(super) field: &'static str,
    pub(super) dimensions: Option<u32>,
    /// The vectors are wanted as base64.
    pub(super) base64: bool,
    /// Texts that are too long shall be cut; none: the client did not say.
    pub(super) truncate: Option<Flag>,
    pub(super) dropped: Dropped,
}

/// A text.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) text: String,
    /// What the vector is for, in Gemini's words (`RETRIEVAL_QUERY`).
    pub(super) task: Option<Said>,
    pub(super) title: Option<Said>,
}

/// A member, and its path in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) value: String,
    pub(super) path: String,
}

/// A switch, and its path in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flag {
    pub(super) value: bool,
    pub(super) path: String,
}

impl Asked {
    /// The texts alone.
    pub(super) fn texts(&self) -> Vec<&str> {
        self.inputs.iter().map(|it| it.text.as_str()).collect()
    }

    /// For providers that are not told what a vector is for.
    pub(super) fn drop_tasks(&mut self) {
        let tasks = self.inputs.iter().filter_map(|it| it.task.as_ref());
        for task in tasks {
            self.dropped.extra(&task.path);
        }
    }

    /// For providers that take no titles.
    pub(super) fn drop_titles(&mut self) {
        let titles = self.inputs.iter().filter_map(|it| it.title.as_ref());
        for title in titles {
            self.dropped.extra(&title.path);
        }
    }

    /// For providers that cut nothing: what asks for that is no loss.
    pub(super) fn drop_truncation(&mut self) {
        if let Some(flag) = self.truncate.as_ref().filter(|it| it.value) {
            self.dropped.extra(&flag.path);
        }
    }

    /// For providers that take fewer texts at once.
    ///
    /// # Errors
    /// A 400 when there are more.
    pub(super) fn at_most(&self, limit: usize) -> Result<(), ApiError> {
        if self.inputs.len() <= limit {
            return Ok(());
        }
        let what = format!("must be at most {limit} texts for this model");
        Err(invalid(self.field, &what))
    }

    /// Refuses what nobody can embed.
    pub(super) fn checked(self) -> Result<Self, ApiError> {
        if self.inputs.is_empty() || self.inputs.iter().any(|it| it.text.is_empty()) {
            return Err(invalid(self.field, "must not be empty"));
        }
        Ok(self)
    }
}
