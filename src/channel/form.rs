//! Multipart forms as plain bytes: the same parts always give the same form.

use super::Upload;

/// A form with some texts and, last, a file as its part `file`; and its content type.
pub(super) fn form(texts: &[(&str, &str)], upload: &Upload) -> (String, Vec<u8>) {
    let boundary = boundary_outside(&upload.bytes);
    let mut form = Vec::with_capacity(upload.bytes.len() + 512);
    for (name, value) in texts {
        form.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .as_bytes(),
        );
    }
    let quoted: String = upload
        .filename
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '"' | '\\'))
        .collect();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{quoted}\"\r\n\
         Content-Type: {}\r\n\r\n",
        upload.mime
    );
    form.extend_from_slice(head.as_bytes());
    form.extend_from_slice(&upload.bytes);
    form.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), form)
}

/// A boundary that does not occur in the file. Taken from the file's own digest, so that the same file always gives
/// the same request.
fn boundary_outside(bytes: &[u8]) -> String {
    let mut boundary = format!("switchboard-{}", &blake3::hash(bytes).to_hex()[..32]);
    while bytes
        .windows(boundary.len())
        .any(|window| window == boundary.as_bytes())
    {
        boundary = format!(
            "switchboard-{}",
            &blake3::hash(boundary.as_bytes()).to_hex()[..32]
        );
    }
    boundary
}
