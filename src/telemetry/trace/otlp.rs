//! Spans as a collector takes them: OTLP by HTTP, in JSON.
// spec: OpenTelemetry Protocol, "OTLP/HTTP", "JSON Protobuf Encoding"

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Attribute, Finished, SpanKind};

/// `ExportTraceServiceRequest` for spans of the node of this name.
pub(super) fn request(node: &str, spans: &[Finished]) -> Value {
    let resource = [
        attribute("service.name", &Attribute::Text("har".to_owned())),
        attribute("service.version", &Attribute::Text(env!("CARGO_PKG_VERSION").to_owned())),
        attribute("service.instance.id", &Attribute::Text(node.to_owned())),
    ];
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{
            "scope": {"name": "har", "version": env!("CARGO_PKG_VERSION")},
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

fn span(span: &Finished) -> Value {
    let Finished { context, parent, name, kind, began, ended, attributes, failed } = span;
    json!({
        // Ids are hex in JSON, not Base64 as other bytes would be.
        "traceId": format!("{:032x}", context.trace),
        "spanId": format!("{:016x}", context.span),
        "parentSpanId": parent.map_or_else(String::new, |parent| format!("{parent:016x}")),
        "name": name,
        "kind": match kind {
            SpanKind::Server => 2,
            SpanKind::Client => 3,
        },
        "startTimeUnixNano": nanoseconds(*began),
        "endTimeUnixNano": nanoseconds(*ended),
        "attributes": attributes.iter().map(|(name, value)| attribute(name, value)).collect::<Vec<_>>(),
        "status": if *failed { json!({"code": 2}) } else { json!({}) },
    })
}

/// Numbers of 64 bits are texts in JSON.
fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

fn attribute(name: &str, value: &Attribute) -> Value {
    let value = match value {
        Attribute::Text(text) => json!({"stringValue": text}),
        Attribute::Whole(count) => json!({"intValue": count.to_string()}),
    };
    json!({"key": name, "value": value})
}
