//! Files of the business on their way to a provider: uploaded once, sent by the provider's id.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::channel::{EncodeError, HttpRequest, SendClass, SendError, Step, Upload};
use crate::server::flows::{self, versions};
use crate::server::parts::{Number, Shared, lock};

/// Meta keeps an upload for 30 days.
const KEPT_FOR: Duration = Duration::from_secs(25 * 24 * 3600);

/// The request that carries out a step, whatever file it names.
pub(in crate::server) async fn request(
    shared: &Shared,
    number: &Number,
    step: &Step,
) -> Result<HttpRequest, SendError> {
    let refused = |why: EncodeError| fault(why.to_string());
    let channel = &number.channel;
    if let Some(path) = step.file().filter(|_| channel.capabilities().files_along) {
        let (_, upload) = found(shared, number, path).await?;
        return channel.encode_with_file(step, &upload).map_err(refused);
    }
    let step = ready(shared, number, step).await?;
    channel.encode(&step).map_err(refused)
}

/// The step with its file uploaded. Uploading shows nothing to the customer, so it may be repeated.
async fn ready(shared: &Shared, number: &Number, step: &Step) -> Result<Step, SendError> {
    let Some(path) = step.file() else {
        return Ok(step.clone());
    };
    let runs = number.config.runs();
    let name = shared
        .flows
        .kept_file(runs, path)
        .unwrap_or_else(|| path.to_owned());
    let known = (number.config.id.clone(), name);
    if let Some((id, since)) = lock(&shared.uploads).get(&known)
        && since.elapsed() < KEPT_FOR
    {
        return Ok(step.clone().uploaded(id.clone()));
    }
    let (name, upload) = found(shared, number, path).await?;
    let known = (known.0, name);
    let request = number
        .channel
        .encode_upload(&upload)
        .map_err(|why| fault(why.to_string()))?;
    let answer = number.transport.send(request).await;
    let receipt = match number.channel.interpret(answer, 1) {
        Ok(receipt) => receipt,
        // Whether the file arrived is all the same: nobody has seen it.
        Err(error) if error.class == SendClass::Ambiguous => {
            let class = SendClass::Retry(Duration::from_secs(2));
            return Err(SendError { class, ..error });
        }
        Err(error) => return Err(error),
    };
    let id = receipt
        .message_id
        .ok_or_else(|| fault(format!("the provider took the file {path} and gave no id")))?;
    lock(&shared.uploads).insert(known, (id.clone(), Instant::now()));
    Ok(step.clone().uploaded(id))
}

/// A file, and the name by which it is known for good: with what is published the one that was published, else the one in
/// the folder.
async fn found(shared: &Shared, number: &Number, path: &str) -> Result<(String, Upload), SendError> {
    if let Some(hash) = shared.flows.kept_file(number.config.runs(), path) {
        let kept = versions::file(shared.store.as_ref(), &hash).await;
        // The store is asked again with the next attempt.
        let kept = kept.map_err(|why| SendError {
            class: SendClass::Retry(Duration::from_secs(2)),
            ..fault(format!("the file {path} can't be had from the store: {why}"))
        })?;
        if let Some(bytes) = kept {
            return Ok((hash, upload(path, bytes)));
        }
    }
    Ok((path.to_owned(), read(&shared.config.flows, path).await?))
}

fn upload(path: &str, bytes: Vec<u8>) -> Upload {
    let name = Path::new(path).file_name();
    let filename = name.map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned());
    Upload {
        mime: mime(&filename).to_owned(),
        filename,
        bytes,
    }
}

fn fault(says: String) -> SendError {
    SendError {
        class: SendClass::OurFault,
        code: None,
        says,
    }
}

/// A file beside the flows; never one outside their folder.
async fn read(folder: &Path, path: &str) -> Result<Upload, SendError> {
    let found = flows::inside(folder, path);
    let found = found.ok_or_else(|| fault(format!("{path} is not a file beside the flows")))?;
    let bytes = tokio::fs::read(&found)
        .await
        .map_err(|why| fault(format!("the file {} can't be read: {why}", found.display())))?;
    Ok(upload(path, bytes))
}

fn mime(filename: &str) -> &'static str {
    let ending = filename
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match ending.as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "mp4" => "video/mp4",
        "ogg" | "opus" => "audio/ogg",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        _ => "application/octet-stream",
    }
}
