//! JSON (section 9.16 of the manual), carried as text.

/// As jsonb prints: keys by length, then bytes; a space after `:` and `,`.
pub(in crate::semantics) fn jsonb_text(value: &serde_json::Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &serde_json::Value, text: &mut String) {
    match value {
        serde_json::Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| (a.len(), a.as_bytes()).cmp(&(b.len(), b.as_bytes())));
            text.push('{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.push_str(&serde_json::Value::String(key.clone()).to_string());
                text.push_str(": ");
                write(member, text);
            }
            text.push('}');
        }
        serde_json::Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write(item, text);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}
