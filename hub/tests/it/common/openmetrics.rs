//! A strict reader of OpenMetrics text: whatever it does not know for certain is a fault of the page.

use std::collections::BTreeMap;

/// Samples by name, then by labels.
pub type Samples = BTreeMap<String, BTreeMap<BTreeMap<String, String>, f64>>;

/// Every sample of a page in which every line is as it has to be.
pub fn parse(page: &str) -> Samples {
    let mut samples = Samples::new();
    let mut families: BTreeMap<String, (String, bool)> = BTreeMap::new();
    let mut family = String::new();
    let body = page.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no end: {page}"));
    for line in body.split_terminator('\n') {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(name) && !help.is_empty(), "{line}");
            assert!(families.insert(name.into(), (String::new(), false)).is_none(), "a second family {name}");
            family = name.into();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert_eq!(name, family, "{line}");
            assert!(["gauge", "counter", "info", "histogram"].contains(&kind), "{line}");
            families.get_mut(name).unwrap().0 = kind.into();
        } else {
            assert!(!line.starts_with('#'), "{line}");
            let (name, labels, value) = sample(line);
            let kind = families[&family].0.as_str();
            let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line} is not of {family}"));
            let expected: &[&str] = match kind {
                "counter" => &["_total"],
                "info" => &["_info"],
                "histogram" => &["_sum", "_count", "_bucket"],
                _ => &[""],
            };
            assert!(expected.contains(&suffix), "{line}");
            assert!(kind != "counter" || value >= 0.0, "{line}");
            let first = samples.entry(name.clone()).or_default().insert(labels, value).is_none();
            assert!(first, "twice: {line}");
        }
    }
    samples
}

/// `name{label="value",...} 1.5`
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (value, after) = quoted(after).unwrap_or_else(|| panic!("{line}"));
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    rest = after.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    let number: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
    assert!(number.is_finite() && !value.contains(' '), "{line}");
    (name.to_owned(), labels, number)
}

/// Up to the closing quote, without the escapes; and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                '\\' => '\\',
                '"' => '"',
                'n' => '\n',
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.chars().all(letters) && text.starts_with(|c: char| !c.is_ascii_digit())
}

/// The value with these labels.
pub fn value(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted: BTreeMap<String, String> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let of = samples.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", samples.keys()));
    *of.get(&wanted).unwrap_or_else(|| panic!("no {name} with {labels:?}: {of:?}"))
}
