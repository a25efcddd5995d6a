//! What the targets share. An input is a head of two bytes, which choose the
//! client's dialect and the provider's, and the bytes of the wire.

use std::borrow::Cow;
use std::sync::LazyLock;

use agentkube_llm::capabilities::{CapabilityTable, ModelCapabilities};
use agentkube_llm::eventstream::{event, exception};
use agentkube_llm::{Context, Dialect, Target, Translator};
use bytes::Bytes;

/// What the model under test takes: nearly everything. Read once, not for each input.
pub static CAPABILITIES: LazyLock<ModelCapabilities> =
    LazyLock::new(|| CapabilityTable::embedded().of("fuzz", "m"));

/// An input of the fuzzer, taken apart.
pub struct Input<'a> {
    /// The client's dialect.
    pub client: Dialect,
    /// The provider's dialect.
    pub provider: Dialect,
    /// What is on the wire.
    pub wire: &'a [u8],
    /// Where to cut it.
    pub seed: u64,
}

impl<'a> Input<'a> {
    /// None when it is too short.
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let (&[client, provider], wire) = data.split_first_chunk::<2>()?;
        let dialect = |byte: u8| Dialect::ALL[usize::from(byte) % Dialect::ALL.len()];
        let digest = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        Some(Self {
            client: dialect(client),
            provider: dialect(provider),
            wire,
            seed: wire.iter().fold(0xcbf2_9ce4_8422_2325, digest),
        })
    }

    /// The wire as a stream of the provider.
    pub fn stream(&self) -> Cow<'a, [u8]> {
        if self.provider == Dialect::BedrockConverse {
            framed(self.wire)
        } else {
            Cow::Borrowed(self.wire)
        }
    }

    /// The wire in pieces of one to sixteen bytes.
    pub fn pieces(&self) -> impl Iterator<Item = Bytes> + use<> {
        self.pieces_of(self.wire)
    }

    /// Any bytes in such pieces.
    pub fn pieces_of(&self, wire: &[u8]) -> impl Iterator<Item = Bytes> + use<> {
        let mut state = self.seed | 1;
        let mut rest = Bytes::copy_from_slice(wire);
        std::iter::from_fn(move || {
            // xorshift (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let length = usize::try_from(state % 16).unwrap_or(0) + 1;
            (!rest.is_empty()).then(|| rest.split_to(length.min(rest.len())))
        })
    }

    /// The context of a plain request in the client's dialect.
    pub fn context(&self) -> Context {
        let target = Target::new("m", &CAPABILITIES);
        let translator = Translator::new(self.client, self.provider);
        let asked = REQUESTS.iter().find_map(|body| {
            let body = Bytes::from_static(body.as_bytes());
            translator.request(&body, &target).ok()
        });
        asked
            .expect("one of the requests is in each dialect")
            .context
    }
}

/// The fuzzer does not guess checksums: lines of a name and its data become frames,
/// exceptions where the name begins with an exclamation mark. What begins with a length
/// stays as it is.
fn framed(wire: &[u8]) -> Cow<'_, [u8]> {
    if wire.first().is_none_or(|byte| *byte == 0) {
        return Cow::Borrowed(wire);
    }
    let text = String::from_utf8_lossy(wire);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    // A header's value is no longer.
    let lines = lines.filter(|(name, _)| name.len() < 256);
    let frames = lines.map(|(name, data)| match name.strip_prefix('!') {
        Some(name) => exception(name, data),
        None => event(name, data),
    });
    Cow::Owned(frames.flatten().collect())
}

/// "Hello", as each dialect asks it.
const REQUESTS: [&str; 4] = [
    r#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hello"}]}"#,
    r#"{"model":"m","stream":true,"input":"Hello"}"#,
    r#"{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}"#,
    r#"{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}"#,
];
