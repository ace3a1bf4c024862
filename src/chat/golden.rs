//! `check  sends exactly "golden.json"`: the last turn as WhatsApp's Cloud API gets it, byte for byte.

use super::rehearsal::Rehearsal;
use crate::channel::{Caps, Outbound, Show, Step, cloud_json, plan};
use crate::message::{Address, MediaSource, OutboundBody};

/// Whether the last turn is what the file holds; otherwise why not, and what the file should hold.
pub(super) fn fits(
    rehearsal: &Rehearsal<'_>,
    name: &str,
    golden: Option<&str>,
) -> Result<(), (String, String)> {
    let sent = sent(rehearsal);
    let Some(golden) = golden else {
        let why = format!("there is no file {name} beside the transcript; --bless writes it");
        return Err((why, sent));
    };
    if golden == sent {
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(golden, &sent);
    let diff = diff
        .unified_diff()
        .context_radius(2)
        .header(name, "what is sent")
        .to_string();
    Err((format!("the last turn is sent otherwise:\n{diff}"), sent))
}

/// The requests' bodies as one JSON list, a request after the other.
fn sent(rehearsal: &Rehearsal<'_>) -> String {
    let phone = rehearsal.memory.phone.clone().unwrap_or_else(|| "0".to_owned());
    let bodies: Vec<serde_json::Value> = rehearsal
        .last
        .iter()
        .flat_map(|body| steps(body, &phone))
        .filter_map(|step| serde_json::from_slice(&cloud_json(&step).ok()?).ok())
        .collect();
    // Names, texts and finite numbers: nothing in it can fail to be written.
    serde_json::to_string_pretty(&bodies).unwrap_or_default() + "\n"
}

fn steps(body: &OutboundBody, phone: &str) -> Vec<Step> {
    let outbound = Outbound {
        to: Address::WaId(phone.to_owned()),
        reply_to: None,
        ours: None,
        body: body.clone(),
    };
    let mut steps = plan(&outbound, &Caps::META).steps;
    for step in &mut steps {
        // Uploading gives a file its id; here it is its name.
        if let Step::Send {
            show: Show::Media { source, .. },
            ..
        } = step
            && let MediaSource::File(name) = source
        {
            *source = MediaSource::Id(name.clone());
        }
    }
    steps
}
