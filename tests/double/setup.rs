//! Who the double is, and how strict.

use std::time::Duration;

use super::face::Face;

#[derive(Debug, Clone)]
pub struct Setup {
    pub face: Face,
    /// 0 takes a free one.
    pub port: u16,
    pub phone_number_id: String,
    /// The business's own number as webhooks show it.
    pub display_phone_number: String,
    pub business_account_id: String,
    pub app_id: String,
    pub app_secret: String,
    pub verify_token: String,
    pub access_tokens: Vec<String>,
    pub webhook_url: Option<String>,
    pub seed: u64,
    /// `sent` comes at once, `delivered` after this, `read` after as much again.
    pub delivered_after: Duration,
    /// Whether customers read what they get.
    pub reads: bool,
    /// Whether any status is told at all.
    pub statuses: bool,
    /// The first wait before a webhook comes again; each further wait is twice as long.
    pub retry_after: Duration,
    /// No wait is longer than this.
    pub retry_at_most: Duration,
    /// So many webhooks are on their way at once. With one they come in order; with more a slow one holds up nobody, as
    /// with the real provider.
    pub under_way: usize,
    /// Messages to one customer: this many at once, then one every six seconds. `None` takes any number.
    pub pair_burst: Option<u32>,
    /// Messages a second from the number. `None` takes any number.
    pub per_second: Option<u32>,
    /// Whether every customer can be written to at any time.
    pub open_windows: bool,
    /// What goes with every webhook of a face that signs nothing, as the operator entered it there.
    pub webhook_headers: Vec<(String, String)>,
    /// Coster's ids, its token for templates, and whether it takes more than texts.
    pub coster_account: String,
    pub coster_division: String,
    pub push_token: String,
    pub coster_takes_all: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            face: Face::Meta,
            port: 0,
            phone_number_id: "106540352242922".to_owned(),
            display_phone_number: "62211000001".to_owned(),
            business_account_id: "102290129340398".to_owned(),
            app_id: "670843887433847".to_owned(),
            app_secret: "double-app-secret".to_owned(),
            verify_token: "double-verify-token".to_owned(),
            access_tokens: vec!["double-token".to_owned()],
            webhook_url: None,
            seed: 1,
            delivered_after: Duration::from_millis(800),
            reads: true,
            statuses: true,
            retry_after: Duration::from_secs(1),
            retry_at_most: Duration::MAX,
            under_way: 1,
            pair_burst: Some(45),
            per_second: Some(80),
            open_windows: false,
            webhook_headers: Vec::new(),
            coster_account: "0123456789abcdef0123456789abcdef".to_owned(),
            coster_division: "fedcba9876543210fedcba9876543210".to_owned(),
            push_token: "double-push-token".to_owned(),
            coster_takes_all: false,
        }
    }
}

impl Setup {
    /// With this face. Coster tells no statuses.
    pub fn of(face: Face) -> Setup {
        Setup {
            face,
            statuses: face != Face::Coster,
            delivered_after: Duration::ZERO,
            ..Setup::default()
        }
    }
}
