//! `mcpRef`: what an MCP offers of other MCPs.
//!
//! An MCP of the same namespace is flattened: its upstreams become ours, with
//! what it says about their tools, so a call takes no extra hop. One of another
//! namespace is called as a client of its own, with a key, and decides for
//! itself: no Secret crosses a namespace.

use agentkube_crds::mcp::pins::pin_set;
use agentkube_crds::mcp::{CheckedMcp, CheckedUpstream, McpReference, StdioServer};
use agentkube_crds::shared::AuthMode;
use agentkube_crds::{Kind, MCP, keys, names};
use agentkube_plan::{
    Breaker, HttpTransport, ObjectName, PinSet, ProxyTimeouts, ProxyUpstream, SecretEntry, Through,
    ToolFilter, UpstreamAuth, UpstreamKind,
};
use agentkube_webhooks::cycle::{printed, way_back};
use agentkube_webhooks::{Found, Lookup, Target, TargetRef};

use super::{MissingRef, MissingWhat, Program};

/// What becomes of a reference to an MCP of another namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hops {
    /// Its Service is called with a key.
    Keyed,
    /// It is flattened too, as the only process there is (`agentkube run`)
    /// serves all of them. Its Secrets are named `<namespace>/<name>`.
    Flattened,
}

/// The upstreams of an MCP, with those of the MCPs that it refers to.
pub(super) struct Flat {
    pub(super) rows: Vec<Row>,
    /// References that cannot be followed.
    pub(super) absent: Vec<MissingRef>,
}

/// One upstream and the namespace of its Secrets.
pub(super) struct Row {
    pub(super) home: String,
    pub(super) upstream: ProxyUpstream,
    /// Set for one that is to run in a container.
    program: Option<StdioServer>,
}

impl Row {
    /// The upstream as the plan of an object names it, with its program.
    pub(super) fn into_upstream(self, checked: &CheckedMcp) -> (ProxyUpstream, Option<Program>) {
        let Self {
            home,
            mut upstream,
            program,
        } = self;
        if home != checked.object.namespace {
            for entry in upstream.secrets_mut() {
                entry.name = format!("{home}/{}", entry.name);
            }
        }
        let program =
            program.map(|server| Program::new(upstream.name.clone(), server, &checked.limits));
        if let Some(program) = &program {
            upstream.kind = UpstreamKind::Socket {
                path: program.socket(),
            };
        }
        (upstream, program)
    }
}

/// Upstreams that one MCP may come to, those of the MCPs that it names included.
/// References multiply: without a bound a few small objects would make a plan that no
/// memory holds.
const MOST_UPSTREAMS: usize = 256;

impl Flat {
    pub(super) fn of(checked: &CheckedMcp, lookup: &dyn Lookup, hops: Hops) -> Self {
        Self::within(checked, lookup, hops, &mut 0)
    }

    /// `count` is how many rows were made so far, in the whole tree of references.
    fn within(checked: &CheckedMcp, lookup: &dyn Lookup, hops: Hops, count: &mut usize) -> Self {
        let mut flat = Self {
            rows: Vec::new(),
            absent: Vec::new(),
        };
        for upstream in &checked.upstreams {
            *count += 1;
            match upstream {
                CheckedUpstream::Mcp(reference) => {
                    flat.follow(checked, reference, lookup, hops, count);
                }
                CheckedUpstream::Program { upstream, server } => flat.rows.push(Row {
                    home: checked.object.namespace.clone(),
                    upstream: program(upstream, server, hops),
                    program: in_container(server, hops).then(|| server.clone()),
                }),
                CheckedUpstream::Server(server) => flat.rows.push(Row {
                    home: checked.object.namespace.clone(),
                    upstream: server.clone(),
                    program: None,
                }),
            }
        }
        flat
    }

    fn follow(
        &mut self,
        checked: &CheckedMcp,
        reference: &McpReference,
        lookup: &dyn Lookup,
        hops: Hops,
        count: &mut usize,
    ) {
        let home = &checked.object.namespace;
        let found = if *count > MOST_UPSTREAMS {
            Err(too_many())
        } else {
            find(&checked.object, reference, lookup, hops)
        };
        let followed = found.and_then(|target| {
            if *home == reference.target.namespace || hops == Hops::Flattened {
                flattened(checked, reference, lookup, hops, count)
                    .map(|flat| (flat.rows, flat.absent))
            } else {
                let upstream = hop(&checked.object, reference, &target)?;
                let home = home.clone();
                let row = Row {
                    home,
                    upstream,
                    program: None,
                };
                Ok((vec![row], Vec::new()))
            }
        });
        match followed {
            Ok((rows, absent)) => {
                self.rows.extend(rows);
                self.absent.extend(absent);
            }
            Err(what) => {
                self.rows.push(Row {
                    home: home.clone(),
                    upstream: absent(reference, &what),
                    program: None,
                });
                self.absent.push(MissingRef {
                    upstream: reference.name.clone(),
                    what,
                    by_plane: true,
                });
            }
        }
    }
}

/// The MCP that a reference names, when it may be used.
fn find(
    object: &ObjectName,
    reference: &McpReference,
    lookup: &dyn Lookup,
    hops: Hops,
) -> Result<Target, MissingWhat> {
    let (from, target) = (target_ref(object), target_ref(&reference.target));
    if let Some(way) = way_back(&from, &target, lookup) {
        let ring = printed(&from, &way);
        return Err(MissingWhat::Mcp(
            "ReferenceCycle",
            format!("a ring: {ring}"),
        ));
    }
    let name = &reference.target;
    match target.find(&object.namespace, lookup) {
        Found::Usable(target) => Ok(target),
        // Of a Namespace that no file describes, `run` cannot know the labels.
        Found::Undecided(target) if hops == Hops::Flattened => Ok(target),
        Found::Missing => Err(MissingWhat::Mcp(
            "MCPNotFound",
            format!("MCP \"{name}\" does not exist"),
        )),
        Found::Refused(grant) => Err(MissingWhat::Mcp(
            "NotAdmitted",
            format!("MCP \"{name}\" does not admit this namespace: {grant}"),
        )),
        Found::Undecided(_) => Err(MissingWhat::Mcp(
            "NotAdmitted",
            format!("MCP \"{name}\" selects namespaces by labels, which are not known"),
        )),
    }
}

fn too_many() -> MissingWhat {
    let why = format!(
        "with the MCPs that are named it comes to more than {MOST_UPSTREAMS} upstreams: name fewer"
    );
    MissingWhat::Mcp("TooManyUpstreams", why)
}

/// The upstreams of another MCP in place of the reference.
fn flattened(
    checked: &CheckedMcp,
    reference: &McpReference,
    lookup: &dyn Lookup,
    hops: Hops,
    count: &mut usize,
) -> Result<Flat, MissingWhat> {
    let name = &reference.target;
    let mcp = lookup.mcp(&name.namespace, &name.name);
    let other = mcp.as_deref().map(MCP::parse).and_then(Result::ok);
    let other = other.ok_or_else(|| {
        MissingWhat::Mcp(
            "MCPInvalid",
            format!("MCP \"{name}\" cannot be served itself"),
        )
    })?;
    let mut flat = Flat::within(&other, lookup, hops, count);
    for Row { upstream, .. } in &mut flat.rows {
        let pins = pin_set(other.tool_pinning, &other.pins, &upstream.name);
        upstream.pins.extend(pins.map(|set| PinSet {
            by: Some(name.clone()),
            ..set
        }));
        let mut levels = upstream.through.take();
        let prefix = match levels {
            Some(_) => None,
            None => other.prefix(&upstream.name),
        };
        levels.get_or_insert_default().push(Through {
            prefix,
            max_length: other.tool_names.max_length,
            tools: reference.tools.clone(),
            client: client(&checked.object),
            access: other.access.clone(),
        });
        upstream.through = levels;
        upstream.name = format!("{}/{}", reference.name, upstream.name);
        upstream.timeouts = shorter(upstream.timeouts, reference.timeouts);
        upstream.breaker = stricter(upstream.breaker, reference.breaker);
    }
    for missing in &mut flat.absent {
        missing.upstream = format!("{}/{}", reference.name, missing.upstream);
    }
    Ok(flat)
}

/// The target's Service, called as a client of its own.
fn hop(
    object: &ObjectName,
    reference: &McpReference,
    target: &Target,
) -> Result<ProxyUpstream, MissingWhat> {
    let name = &reference.target;
    let auth = match target.auth {
        AuthMode::None => UpstreamAuth::None,
        AuthMode::Apikey => UpstreamAuth::Bearer {
            secret: SecretEntry {
                name: names::client_key_secret(
                    &client(object),
                    Kind::MCP,
                    &name.namespace,
                    &name.name,
                ),
                key: keys::API_KEY.to_owned(),
            },
        },
        AuthMode::ServiceAccount => {
            let why = format!("MCP \"{name}\" wants tokens of ServiceAccounts, an MCP has none");
            return Err(MissingWhat::Mcp("NotAdmitted", why));
        }
    };
    Ok(ProxyUpstream {
        name: reference.name.clone(),
        kind: UpstreamKind::Http {
            endpoint: target.url.clone(),
            transport: HttpTransport::StreamableHttp,
        },
        auth,
        tools: vec![reference.tools.clone()],
        timeouts: reference.timeouts,
        breaker: reference.breaker,
        through: Some(Vec::new()),
        pins: Vec::new(),
    })
}

/// A program is a child process where there are no containers.
fn in_container(server: &StdioServer, hops: Hops) -> bool {
    hops == Hops::Keyed && server.image.is_some()
}

/// The upstream of a program; without an image there is none in a cluster.
fn program(upstream: &ProxyUpstream, server: &StdioServer, hops: Hops) -> ProxyUpstream {
    let mut upstream = upstream.clone();
    if hops == Hops::Keyed && !in_container(server, hops) {
        upstream.kind = UpstreamKind::Absent {
            reason: "in a cluster a stdio server needs an image".to_owned(),
        };
    } else if hops == Hops::Keyed {
        // Its container reads them; the path of the socket follows from its name.
        upstream.kind = UpstreamKind::Socket {
            path: String::new(),
        };
    }
    upstream
}

/// In place of what cannot be reached, so that it is reported and hides only
/// its own tools.
fn absent(reference: &McpReference, what: &MissingWhat) -> ProxyUpstream {
    let reason = match what {
        MissingWhat::Mcp(_, why) => why.clone(),
        MissingWhat::Entry(entry) | MissingWhat::Secret(entry) => entry.to_string(),
    };
    ProxyUpstream {
        name: reference.name.clone(),
        kind: UpstreamKind::Absent { reason },
        auth: UpstreamAuth::None,
        tools: vec![ToolFilter::All],
        timeouts: reference.timeouts,
        breaker: reference.breaker,
        through: Some(Vec::new()),
        pins: Vec::new(),
    }
}

/// The name by which an MCP is another one's client.
pub(crate) fn client(object: &ObjectName) -> String {
    format!("{}/{}", object.namespace, object.name)
}

fn shorter(one: ProxyTimeouts, other: ProxyTimeouts) -> ProxyTimeouts {
    ProxyTimeouts {
        connect: one.connect.min(other.connect),
        idle: one.idle.min(other.idle),
        total: one.total.min(other.total),
    }
}

/// What two breakers in a row come to.
fn stricter(one: Breaker, other: Breaker) -> Breaker {
    Breaker {
        failures: one.failures.min(other.failures),
        window: one.window.max(other.window),
        cooldown: one.cooldown.max(other.cooldown),
    }
}

fn target_ref(object: &ObjectName) -> TargetRef {
    TargetRef {
        kind: Kind::MCP,
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    }
}
