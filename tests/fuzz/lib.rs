//! What the targets share. An input is a head of two bytes, which choose the
//! client's dialect and the provider's, and the bytes of the wire.

use agentkube_llm::capabilities::CapabilityTable;
use agentkube_llm::{Context, Dialect, Target, Translator};
use bytes::Bytes;

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

    /// The wire in pieces of one to sixteen bytes.
    pub fn pieces(&self) -> impl Iterator<Item = Bytes> {
        let mut state = self.seed | 1;
        let mut rest = Bytes::copy_from_slice(self.wire);
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
        let capabilities = CapabilityTable::embedded().of("fuzz", "m");
        let target = Target::new("m", &capabilities);
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

/// "Hello", as each dialect asks it.
const REQUESTS: [&str; 3] = [
    r#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hello"}]}"#,
    r#"{"model":"m","stream":true,"input":"Hello"}"#,
    r#"{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}"#,
];
