//! Customers who write and a provider that repeats: signed webhooks, again and again until each is answered with 2xx, and
//! some of them once more after that.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::business::{WEIGH, WORD, phone};
use super::double::Double;
use super::fleet::Addresses;
use super::plan::{Plan, Random};

/// Meta would wait longer before it gives up.
const ANSWER: Duration = Duration::from_secs(10);

/// A body and its signature.
pub type Signed = Arc<(String, Vec<u8>)>;

#[derive(Debug, Clone, Copy)]
pub struct Habits {
    pub contacts: usize,
    /// Messages of all contacts together, about.
    pub per_second: usize,
    /// Of a hundred messages, so many are delivered again although they were taken.
    pub repeated: u64,
    /// And so often each of those.
    pub copies: u32,
    /// Messages bear times of the last 30 s in any order, as if they had overtaken each other.
    pub jumbled: bool,
    /// Of a hundred messages, so many need the service.
    pub weighed: u64,
    /// No more than this from one contact.
    pub messages: u32,
}

impl Default for Habits {
    fn default() -> Self {
        Habits {
            contacts: 60,
            per_second: 60,
            repeated: 10,
            copies: 1,
            jumbled: false,
            weighed: 5,
            messages: u32::MAX,
        }
    }
}

/// What came back.
#[derive(Debug, Default)]
pub struct Answers {
    /// By contact, when each of its messages was taken.
    pub taken: Vec<Vec<Instant>>,
    /// How long a 2xx took.
    pub good: Vec<Duration>,
    /// Status and time of everything else that was an answer.
    pub bad: Vec<(u16, Duration)>,
    /// Attempts that got no answer: nobody there, or killed meanwhile.
    pub unanswered: usize,
    /// Every webhook that was taken, for whoever wants to replay it.
    pub bodies: Vec<Signed>,
}

impl Answers {
    pub fn messages(&self) -> usize {
        self.taken.iter().map(Vec::len).sum()
    }

    /// The time in which 99 of 100 webhooks were taken.
    pub fn p99(&self) -> Duration {
        let mut times = self.good.clone();
        times.sort_unstable();
        let at = (times.len() * 99).div_ceil(100).saturating_sub(1);
        times.get(at).copied().unwrap_or_default()
    }

    pub fn slowest_bad(&self) -> Duration {
        self.bad.iter().map(|(_, time)| *time).max().unwrap_or_default()
    }
}

#[derive(Debug)]
struct Shared {
    double: Arc<Double>,
    addresses: Addresses,
    client: reqwest::Client,
    answers: Mutex<Answers>,
    stopping: AtomicBool,
    next: AtomicUsize,
}

/// The customers while they write.
#[derive(Debug)]
pub struct Customers {
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Customers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Customers {
    pub fn start(plan: &Plan, double: &Arc<Double>, addresses: &Addresses, habits: Habits) -> Customers {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(ANSWER)
            .build()
            .expect("a client");
        let shared = Arc::new(Shared {
            double: Arc::clone(double),
            addresses: Arc::clone(addresses),
            client,
            answers: Mutex::new(Answers {
                taken: vec![Vec::new(); habits.contacts],
                ..Answers::default()
            }),
            stopping: AtomicBool::new(false),
            next: AtomicUsize::new(0),
        });
        let tasks = (0..habits.contacts)
            .map(|contact| {
                let random = plan.random(contact as u64 + 1);
                tokio::spawn(write(Arc::clone(&shared), contact, habits, random))
            })
            .collect();
        Customers { shared, tasks }
    }

    pub fn answers(&self) -> MutexGuard<'_, Answers> {
        self.shared.answers()
    }

    pub fn messages(&self) -> usize {
        self.answers().messages()
    }

    /// One webhook with the greetings of these customers, who are not among those that write by themselves. Repeated
    /// until it is taken.
    pub async fn greet_at_once(&self, contacts: std::ops::Range<usize>) {
        let double = &self.shared.double;
        let mut body = envelope(double, contacts.start, &json!([]));
        let one = |contact| message(double, contact, 0, false, 0);
        body["entry"][0]["changes"][0]["value"]["messages"] = contacts.clone().map(one).collect();
        let signed = Arc::new(double.signed(&body));
        while !self.shared.post(&signed).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let mut answers = self.answers();
        if answers.taken.len() < contacts.end {
            answers.taken.resize(contacts.end, Vec::new());
        }
        for contact in contacts {
            answers.taken[contact].push(Instant::now());
        }
    }

    /// The message with this number of one customer who does not write by themselves. Repeated until it is taken.
    pub async fn say(&self, contact: usize, number: u32) {
        let said = message(&self.shared.double, contact, number, false, 0);
        let body = envelope(&self.shared.double, contact, &json!([said]));
        while !self.post(&body).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let mut answers = self.answers();
        if answers.taken.len() <= contact {
            answers.taken.resize(contact + 1, Vec::new());
        }
        answers.taken[contact].push(Instant::now());
    }

    /// Posts every webhook again, with so many at a time, and gives how many were not taken.
    pub async fn replay(&self, together: usize) -> usize {
        let bodies = self.answers().bodies.clone();
        let posts = bodies.iter().map(|signed| self.shared.post(signed));
        let taken = futures_util::stream::iter(posts).buffer_unordered(together);
        taken.filter(|taken| std::future::ready(!*taken)).count().await
    }

    /// Posts any body, signed, and says whether it was taken.
    pub async fn post(&self, body: &Value) -> bool {
        self.shared.post(&Arc::new(self.shared.double.signed(body))).await
    }

    /// No new messages; those under way are repeated until they are taken.
    pub async fn finish(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for task in self.tasks.drain(..) {
            task.await.expect("a customer");
        }
    }
}

impl Shared {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts once; whether it was taken.
    async fn post(&self, signed: &Signed) -> bool {
        let (signature, body) = &**signed;
        let address = {
            let all = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            let up: Vec<&String> = all.iter().flatten().collect();
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            up.get(turn % up.len().max(1)).map(|address| (*address).clone())
        };
        let Some(address) = address else {
            return false;
        };
        let began = Instant::now();
        let answer = self
            .client
            .post(format!("http://{address}/webhook/{}", super::business::CHANNEL))
            .header("x-hub-signature-256", signature)
            .body(body.clone())
            .send()
            .await;
        let took = began.elapsed();
        let mut answers = self.answers();
        match answer {
            Ok(answer) if answer.status().is_success() => {
                answers.good.push(took);
                true
            }
            Ok(answer) => {
                answers.bad.push((answer.status().as_u16(), took));
                false
            }
            Err(_) => {
                answers.unanswered += 1;
                false
            }
        }
    }
}

/// The value of a webhook with these messages of one customer.
pub fn envelope(double: &Double, contact: usize, messages: &Value) -> Value {
    let setup = double.setup();
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": setup.business_account_id, "changes": [{
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": setup.display_phone_number, "phone_number_id": setup.phone_number_id },
            "contacts": [{ "profile": { "name": "Sari" }, "wa_id": phone(contact) }],
            "messages": messages,
        }
    }]}]})
}

/// The message with this number of one customer; the first only says hello.
pub fn message(double: &Double, contact: usize, number: u32, weighed: bool, seconds_ago: i64) -> Value {
    let text = match number {
        0 => "Good morning".to_owned(),
        _ if weighed => format!("{WEIGH}{WORD}{number}"),
        _ => format!("{WORD}{number}"),
    };
    json!({ "from": phone(contact), "id": format!("wamid.{}.{number}", phone(contact)),
        "timestamp": (double.now() - seconds_ago).to_string(), "type": "text", "text": { "body": text } })
}

/// The life of one customer.
async fn write(shared: Arc<Shared>, contact: usize, habits: Habits, mut random: Random) {
    let pause = 1000 * habits.contacts as u64 / habits.per_second.max(1) as u64;
    tokio::time::sleep(random.millis(0, pause)).await;
    for number in 0..habits.messages {
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        let weighed = random.percent(habits.weighed);
        let ago = if habits.jumbled {
            random.below(30) as i64
        } else {
            0
        };
        let said = message(&shared.double, contact, number, weighed, ago);
        let envelope = envelope(&shared.double, contact, &json!([said]));
        let signed = Arc::new(shared.double.signed(&envelope));
        let mut wait = 50;
        while !shared.post(&signed).await {
            tokio::time::sleep(random.millis(wait, 2 * wait)).await;
            wait = (wait * 2).min(800);
        }
        {
            let mut answers = shared.answers();
            answers.taken[contact].push(Instant::now());
            answers.bodies.push(Arc::clone(&signed));
        }
        if random.percent(habits.repeated) {
            for _ in 0..habits.copies {
                let (shared, signed, later) =
                    (Arc::clone(&shared), Arc::clone(&signed), random.millis(0, 3000));
                tokio::spawn(async move {
                    tokio::time::sleep(later).await;
                    shared.post(&signed).await;
                });
            }
        }
        let until = Instant::now() + random.millis(pause / 2, pause * 3 / 2 + 1);
        while Instant::now() < until && !shared.stopping.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(Duration::from_millis(50))).await;
        }
    }
}
