use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::agent::Agent;
use super::compatible::Compatible;
use super::coster::Coster;
use super::file::{Channel, File, RetentionDays, Source};
use super::linked::Linked;
use super::qontak::Qontak;
use super::*;
use crate::store::redis::link::Durability;

const META: &str = r#"
[[channel]]
id = "main"
provider = "meta"
phone_number_id = "106"
access_token_env = "TOKEN"
app_secret_env = ["NEW", "OLD"]
verify_token_env = "VERIFY"
"#;

fn parsed(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/switchboard/switchboard.toml"), &|name| {
        (name != "UNSET").then(|| format!("value-of-{name}"))
    })
}

/// The reference with every explained key made real.
fn uncommented() -> String {
    let key = |line: &str| {
        let bare = line.strip_prefix("# ")?;
        let name = bare.split([' ', '=']).next()?;
        let is_key = bare.contains(" = ")
            && !name.is_empty()
            && !name.contains(|c: char| !c.is_alphanumeric() && c != '_');
        (is_key || (bare.starts_with('[') && bare.ends_with(']'))).then(|| bare.to_owned())
    };
    REFERENCE.lines().filter_map(key).collect::<Vec<_>>().join("\n")
}

/// The keys a table knows, read from what it says to one it does not know.
fn known<T: serde::de::DeserializeOwned>(table: &str) -> BTreeSet<String> {
    let Err(error) = toml::from_str::<T>(table) else {
        panic!("{table} was taken");
    };
    let message = error.message().to_owned();
    let listed = message.split("expected ").nth(1).expect("a list of keys");
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_is_explained_in_the_reference_with_its_default() {
    let text = uncommented();
    let table: toml::Table = toml::from_str(&text).expect("the reference is TOML");
    let keys = |table: &toml::Value| -> BTreeSet<String> {
        table.as_table().expect("a table").keys().cloned().collect()
    };
    let whole = toml::Value::Table(table.clone());
    let channel = &table["channel"][0];
    assert_eq!(keys(&whole), known::<File>("nonsense = 1"));
    assert_eq!(keys(channel), known::<Channel>("nonsense = 1"));
    assert_eq!(keys(&table["redis"]), known::<super::file::Redis>("nonsense = 1"));
    assert_eq!(keys(&table["log"]), known::<Log>("nonsense = 1"));
    assert_eq!(keys(&table["limits"]), known::<Limits>("nonsense = 1"));
    assert_eq!(keys(&table["retention"]), known::<RetentionDays>("nonsense = 1"));
    assert_eq!(
        keys(&table["metrics"]),
        known::<super::file::Metrics>("nonsense = 1")
    );
    assert_eq!(
        keys(&table["traces"]),
        known::<super::file::Traces>("nonsense = 1")
    );
    assert_eq!(keys(&table["voice"]), known::<super::file::Voice>("nonsense = 1"));
    assert_eq!(keys(&table["ai"]), known::<super::file::Ai>("nonsense = 1"));
    assert_eq!(
        keys(&table["services"]["shop"]),
        known::<super::file::Service>("nonsense = 1")
    );
    assert_eq!(
        keys(&channel["session"]),
        known::<SessionSettings>("nonsense = 1")
    );
    assert_eq!(keys(&channel["compatible"]), known::<Compatible>("nonsense = 1"));
    assert_eq!(keys(&channel["coster"]), known::<Coster>("nonsense = 1"));
    assert_eq!(keys(&channel["qontak"]), known::<Qontak>("nonsense = 1"));
    assert_eq!(keys(&channel["linked"]), known::<Linked>("nonsense = 1"));
    assert_eq!(keys(&table["agent"][0]), known::<Agent>("nonsense = 1"));
    assert_eq!(
        keys(&table["token"][0]),
        known::<super::file::Token>("nonsense = 1")
    );
    assert_eq!(
        known::<Source>("nonsense = 1"),
        ["env", "file"].map(str::to_owned).into()
    );

    let limits: Limits = table["limits"].clone().try_into().expect("limits");
    assert_eq!(limits, Limits::default());
    let retention: RetentionDays = table["retention"].clone().try_into().expect("retention");
    assert_eq!(retention, RetentionDays::default());
    assert_eq!(retention.resolved(), crate::store::Retention::default());
    let log: Log = table["log"].clone().try_into().expect("log");
    assert_eq!(log, Log::default());
    let session: SessionSettings = channel["session"].clone().try_into().expect("session");
    assert_eq!(session, SessionSettings::default());
    let written: File = toml::from_str(&text).expect("the reference can be read");
    let empty: File = toml::from_str("").expect("all keys have defaults");
    assert_eq!(written.flows, empty.flows);
    assert_eq!(written.store.get_ref(), empty.store.get_ref());
    assert_eq!(written.bind.get_ref(), empty.bind.get_ref());
    let redis = super::file::Redis::default();
    assert_eq!(written.redis.durability, redis.durability);
    assert_eq!(written.redis.replica_ms, redis.replica_ms);
    assert_eq!(written.redis.prefix.get_ref(), redis.prefix.get_ref());
    let bare: super::file::Metrics = toml::from_str("").expect("all keys have defaults");
    let metrics = written.metrics.expect("a table");
    assert_eq!(metrics.bind.get_ref(), bare.bind.get_ref());
    let written = written.channels[0].get_ref();
    let least: Channel = toml::from_str("id = \"a\"\nprovider = \"meta\"").expect("a channel");
    assert_eq!(written.api_base.get_ref(), least.api_base.get_ref());
    assert_eq!(written.api_version, least.api_version);
    assert_eq!(written.autopilot, least.autopilot);
    assert_eq!(written.media_hosts, least.media_hosts);
    assert_eq!(written.shortcuts, least.shortcuts);
    assert_eq!(written.shortcut_pause_minutes, least.shortcut_pause_minutes);
    assert_eq!(written.assist, least.assist);
}

#[test]
fn the_reference_itself_is_a_valid_configuration() {
    let config = parsed(REFERENCE).expect("valid");
    assert_eq!(config.flows, Path::new("/etc/switchboard/flows"));
    assert!(config.channels.is_empty());
}

#[test]
fn a_number_is_read_with_its_secrets_and_shows_none_of_them() {
    let config = parsed(META).expect("valid");
    let ProviderConfig::Meta(meta) = &config.channels[0].provider else {
        panic!("not a Meta channel");
    };
    assert_eq!(meta.app_secrets.len(), 2);
    assert_eq!(config.channels[0].session, SessionSettings::default());
    assert!(!format!("{config:?}").contains("value-of"));
}

#[test]
fn a_mistake_is_drawn_with_file_line_and_what_to_do() {
    let error = parsed("bind = \"everywhere\"\nstore = \"mysql:x\"\n").expect_err("two mistakes");
    insta::assert_snapshot!(error, @r#"
    error: "everywhere" is not an address to listen on
     --> /etc/switchboard/switchboard.toml:1:8
      |
    1 | bind = "everywhere"
      |        ^^^^^^^^^^^^
      |
      = help: write address and port, such as "127.0.0.1:8080"

    error: "mysql:x" is not a store
     --> /etc/switchboard/switchboard.toml:2:9
      |
    2 | store = "mysql:x"
      |         ^^^^^^^^^
      |
      = help: write "sqlite:" and the path of a file, such as "sqlite:switchboard.db", or the address of a Redis, such as "redis://127.0.0.1:6379"
    "#);
    assert_eq!(error.line(&error.mistakes[1]), Some(2));
}

#[test]
fn an_unknown_key_is_named_with_those_there_are() {
    let error = parsed("bnid = \"127.0.0.1:1\"").expect_err("a mistake");
    insta::assert_snapshot!(error, @r#"
    error: unknown field `bnid`, expected one of `flows`, `store`, `redis`, `bind`, `public_url`, `admin_token`, `store_key`, `token`, `log`, `limits`, `retention`, `metrics`, `traces`, `voice`, `ai`, `secrets`, `services`, `channel`, `agent`
     --> /etc/switchboard/switchboard.toml:1:1
      |
    1 | bnid = "127.0.0.1:1"
      | ^^^^
      |
      = help: `switchboard serve --print-config` explains every key
    "#);
}

#[test]
fn a_secret_that_is_not_set_is_said_where_it_is_named() {
    let error = parsed(&META.replace("\"TOKEN\"", "\"UNSET\"")).expect_err("a mistake");
    insta::assert_snapshot!(error, @r#"
    error: the environment variable UNSET is not set
     --> /etc/switchboard/switchboard.toml:6:20
      |
    6 | access_token_env = "UNSET"
      |                    ^^^^^^^
      |
      = help: set it before starting, or name a file instead
    "#);
}

#[cfg(not(feature = "otlp"))]
#[test]
fn traces_that_this_build_cannot_send_are_refused_where_they_are_asked_for() {
    let error = parsed("[traces]\nendpoint = \"http://127.0.0.1:4318\"\n").expect_err("a mistake");
    assert_eq!(error.mistakes[0].says, "this build can't send traces");
    assert_eq!(error.line(&error.mistakes[0]), Some(1));
    assert!(error.mistakes[0].help.contains("--features otlp"));
}

#[cfg(feature = "otlp")]
#[test]
fn traces_go_where_the_configuration_says() {
    let config = parsed("[traces]\nendpoint = \"http://127.0.0.1:4318\"\n").expect("valid");
    let traces = config.traces.expect("traces");
    assert_eq!(
        traces.endpoint.expect("an address").as_str(),
        "http://127.0.0.1:4318/"
    );
    assert_eq!(
        parsed("[traces]").expect("valid").traces,
        Some(TracesConfig::default())
    );
}

#[test]
fn a_store_in_redis_takes_its_secrets_from_elsewhere_and_shows_none() {
    let text = "store = \"redis+sentinel://bot@one:26379,two/main/3\"\n[redis]\npassword = { env = \"PASS\" }\n\
                durability = \"replica\"\nprefix = \"shop-2\"\n";
    let config = parsed(text).expect("it is right");
    let shown = format!("{config:?}");
    assert!(!shown.contains("value-of-PASS"), "{shown}");
    let StoreAddress::Redis(redis) = config.store else {
        panic!("it is a Redis");
    };
    assert_eq!(redis.settings.link.durability, Durability::Replica);
    assert_eq!((redis.settings.prefix.as_str(), redis.address.db), ("shop-2", 3));
    assert!(redis.address.us.password.is_some());
}

#[test]
fn a_wrong_address_of_redis_is_drawn_without_its_password() {
    for (text, says) in [
        ("store = \"redis://:hush@one,two\"", "several are named"),
        ("store = \"redis+magic://:hush@one\"", "not a way to reach Redis"),
        ("store = \"redis://:hush@one/x\"", ""),
        (
            "store = \"redis://:hush@one\"\n[redis]\npassword = { env = \"PASS\" }",
            "given twice",
        ),
        ("store = \"redis://one\"\n[redis]\nca = \"ca.pem\"", "without TLS"),
        (
            "store = \"redis://one\"\n[redis]\nprefix = \"a:b\"",
            "before the keys",
        ),
        (
            "store = \"redis://one\"\n[redis]\npassword = { env = \"UNSET\" }",
            "is not set",
        ),
        ("store = \"postgres://one\"", "is not a store"),
    ] {
        let error = parsed(text).expect_err(text);
        let mistake = &error.mistakes[0];
        assert!(
            mistake.says.contains(says) && !mistake.help.is_empty(),
            "{text}: {error}"
        );
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}

/// A channel whose secrets stand in the environment under the names of their keys.
fn channel(provider: &str, keys: &str, tables: &str) -> String {
    format!(
        "[[channel]]\nid = \"main\"\nprovider = {provider:?}\nphone_number_id = \"106\"\naccess_token_env = \"TOKEN\"\n\
         webhook_secret_env = \"LONG_SECRET_OF_THE_PATH\"\n{keys}\n{tables}\n"
    )
}

/// The reference's own words for a default, read as a channel that says them all.
fn said(table: &str, leave_out: &[&str]) -> String {
    let mut inside = false;
    let mut said = String::new();
    for line in uncommented().lines() {
        if line.starts_with('[') {
            inside = line == table;
        }
        let name = line.split(' ').next().unwrap_or_default();
        if inside && !leave_out.contains(&name) {
            said.push_str(line);
            said.push('\n');
        }
    }
    said
}

#[test]
fn a_preset_fills_in_what_is_known_of_360dialog() {
    let table = "[channel.compatible]\npreset = \"360dialog\"\nwebhook_auth = \"path\"";
    let config = parsed(&channel("compatible", "", table)).expect("valid");
    let ProviderConfig::Compatible(settings) = &config.channels[0].provider else {
        panic!("not a compatible channel");
    };
    assert_eq!(settings.name, "360dialog");
    assert_eq!(settings.route.base_url, "https://waba-v2.360dialog.io");
    assert_eq!(settings.route.key.header, "d360-api-key");
    assert!(settings.files.from_api);
    assert_eq!(
        config.channels[0]
            .provider
            .path_secret()
            .map(|secret| secret.expose_secret()),
        Some("value-of-LONG_SECRET_OF_THE_PATH")
    );
    assert!(!format!("{config:?}").contains("value-of"));
}

#[test]
fn the_reference_says_metas_values_where_a_compatible_channel_says_nothing() {
    let base = "api_base = \"https://api.example\"\napp_secret_env = \"APP\"";
    let settings = |table: &str| {
        let config = parsed(&channel("compatible", base, table)).expect("valid");
        match config.channels.into_iter().next().expect("a channel").provider {
            ProviderConfig::Compatible(settings) => *settings,
            _ => panic!("not a compatible channel"),
        }
    };
    let auth = "webhook_auth = \"signature\"";
    let left_out = [
        "preset",
        "webhook_auth",
        "webhook_path",
        "health_path",
        "templates_path",
    ];
    let written = settings(&format!("{}{auth}", said("[channel.compatible]", &left_out)));
    let least = settings(&format!("[channel.compatible]\n{auth}"));
    assert_eq!(format!("{written:?}"), format!("{least:?}"));
}

#[test]
fn the_reference_says_what_holds_where_a_coster_channel_says_nothing() {
    let settings = |table: &str| {
        let config = parsed(&channel("coster", "", table)).expect("valid");
        match config.channels.into_iter().next().expect("a channel").provider {
            ProviderConfig::Coster(settings) => *settings,
            _ => panic!("not a channel of Coster"),
        }
    };
    let written = settings(&said("[channel.coster]", &["push_token_env", "push_token_file"]));
    let ids: Vec<String> = said("[channel.coster]", &[])
        .lines()
        .filter(|line| line.starts_with("account_id") || line.starts_with("division_id"))
        .map(str::to_owned)
        .collect();
    let least = settings(&format!("[channel.coster]\n{}", ids.join("\n")));
    assert_eq!(format!("{written:?}"), format!("{least:?}"));
}

#[test]
fn every_mistake_of_a_channel_is_told_in_one_run() {
    let text = "[[channel]]\nid = \"main\"\nprovider = \"compatible\"\n[channel.compatible]\nwebhook_auth = \"magic\"\n\
                media_path = \"media\"\nkey_header = \"a b\"\n[[channel]]\nid = \"other\"\nprovider = \"coster\"\n\
                webhook_secret_env = \"S\"\n[channel.compatible]\npreset = \"360dialog\"\n";
    let error = Config::parse(text, Path::new("switchboard.toml"), &|_| Some("short".to_owned()))
        .expect_err("many mistakes");
    let said: Vec<&str> = error
        .mistakes
        .iter()
        .map(|mistake| mistake.says.as_str())
        .collect();
    for part in [
        "main has no api_base",
        "main has no phone_number_id",
        "main has no access_token",
        "\"magic\" is not a way to prove a webhook",
        "\"media\" lacks {media_id}",
        "\"a b\" is not the name of a header",
        "other has no phone_number_id",
        "other has no account_id",
        "other has no division_id",
        "other has no access_token",
        "the webhook_secret of other can't end an address",
        "[channel.compatible] stands at a channel with another provider",
    ] {
        assert!(
            said.iter().any(|says| says.contains(part)),
            "no {part:?} in {said:#?}"
        );
    }
    assert!(error.mistakes.iter().all(|mistake| !mistake.help.is_empty()));
}

#[test]
fn how_webhooks_are_proved_must_be_said_even_if_they_are_not() {
    let with = |auth: &str| {
        let table = format!("[channel.compatible]\npreset = \"360dialog\"\n{auth}");
        parsed(&channel("compatible", "", &table))
    };
    let error = with("").expect_err("a mistake");
    assert!(
        error.mistakes[0]
            .says
            .contains("does not say how its webhooks are proved")
    );
    assert!(error.mistakes[0].help.contains("\"none\""));
    with("webhook_auth = \"none\"").expect("it was said");
}

#[test]
fn two_channels_with_the_same_number_are_refused_in_one_sentence() {
    let twice = format!("{META}{}", META.replace("\"main\"", "\"draft\""));
    let error = parsed(&twice).expect_err("a mistake");
    let said: Vec<&str> = error
        .mistakes
        .iter()
        .map(|mistake| mistake.says.as_str())
        .collect();
    assert_eq!(
        said,
        ["the channels main and draft are the same number: meta knows both as 106"]
    );
    // The same id at another provider is another number.
    let table = "[channel.compatible]\npreset = \"360dialog\"\nwebhook_auth = \"path\"";
    let other = channel("compatible", "", table).replace("\"main\"", "\"other\"");
    parsed(&format!("{META}{other}")).expect("valid");
}

/// What is wrong in a configuration, and where.
fn mistakes(text: &str) -> Vec<(Option<usize>, String)> {
    let error = parsed(text).expect_err("mistakes");
    let one = |mistake: &Mistake| (error.line(mistake), mistake.says.clone());
    error.mistakes.iter().map(one).collect()
}

#[test]
fn a_number_at_qontak_knows_its_endpoint_its_pace_and_the_base_of_its_generation() {
    let with = |auth: &str| {
        let text = format!(
            "public_url = \"https://bot.example/\"\n[[channel]]\nid = \"main\"\nprovider = \"qontak\"\n\
             access_token_env = \"TOKEN\"\nwebhook_secret_env = \"HOOK_SECRET\"\n[channel.qontak]\n\
             channel_integration_id = \"a\"\nclient_id = \"c\"\nclient_secret_env = \"C\"\nusername = \"u\"\n\
             password_env = \"P\"\nauth = {auth:?}\n"
        );
        parsed(&text).expect("valid").channels.remove(0)
    };
    let base = |auth: &str| match with(auth).provider {
        ProviderConfig::Qontak(settings) => settings.base_url,
        other => panic!("{other:?}"),
    };
    assert_eq!(base("token"), "https://service-chat.qontak.com/api/open/v1");
    assert_eq!(base("password"), base("token"));
    assert_eq!(base("hmac"), "https://api.mekari.com/qontak/chat/v1");
    let channel = with("token");
    assert_eq!(channel.per_second, 5);
    let ProviderConfig::Qontak(settings) = &channel.provider else {
        panic!("not Qontak")
    };
    let endpoint = settings.endpoint.as_ref().expect("an endpoint").expose_secret();
    assert_eq!(endpoint, "https://bot.example/webhook/main/value-of-HOOK_SECRET");
    assert!(!format!("{channel:?}").contains("value-of"));
    assert_eq!(parsed(META).expect("valid").channels[0].per_second, 80);
}

#[test]
fn all_mistakes_of_a_number_at_qontak_are_told_at_once() {
    let told = mistakes(
        "[[channel]]\nid = \"main\"\nprovider = \"qontak\"\nwebhook_secret_env = \"UNSET\"\n[channel.qontak]\n\
         auth = \"password\"\nhand_off = \"nobody\"\n[channel.qontak.templates]\nhello = \"hello\"\n\
         [channel.qontak.agents]\nsupport = \"a/b\"\n",
    );
    let says: Vec<&str> = told.iter().map(|(_, says)| says.as_str()).collect();
    for wanted in [
        "the channel main has no channel_integration_id",
        "the channel main has no username",
        "the channel main has no password",
        "the channel main has no client_id",
        "the channel main has no client_secret",
        "the environment variable UNSET is not set",
        "\"nobody\" is nobody to hand a room to",
        "\"hello\" is not the id of the template hello",
        "\"a/b\" is not the id of an agent for the team support",
    ] {
        assert!(says.contains(&wanted), "{wanted}: {says:#?}");
    }
    assert_eq!(told.len(), 9, "{told:#?}");
    let lines: Vec<_> = told.iter().filter_map(|(line, _)| *line).collect();
    assert!(lines.is_sorted(), "{told:#?}");
    let auth = mistakes(
        "[[channel]]\nid = \"main\"\nprovider = \"qontak\"\nwebhook_secret_env = \"HOOK_SECRET\"\n[channel.qontak]\n\
         channel_integration_id = \"a\"\nauth = \"oauth\"\n",
    );
    assert_eq!(auth, [(Some(7), "\"oauth\" is no way to log in".to_owned())]);
}

const AGENT: &str = "[[agent]]\nid = \"shop\"\n[agent.published]\nid = \"main\"\nprovider = \"meta\"\n\
    phone_number_id = \"106\"\naccess_token_env = \"A\"\napp_secret_env = \"B\"\nverify_token_env = \"C\"\n\
    [agent.published.session]\nask_after_seconds = 60\n\
    [agent.draft]\nprovider = \"simulator\"\nautopilot = false\nburst_quiet_ms = 10\n";

#[test]
fn an_agent_has_two_numbers_each_with_settings_of_its_own() {
    let config = parsed(AGENT).expect("valid");
    let [published, draft] = &config.channels[..] else {
        panic!("{:?}", config.channels);
    };
    assert_eq!((published.id.as_str(), draft.id.as_str()), ("main", "shop-draft"));
    assert_eq!((published.runs(), draft.runs()), (Runs::Published, Runs::Folder));
    assert_eq!(
        (published.provider.name(), draft.provider.name()),
        ("meta", "simulator")
    );
    assert_eq!((published.autopilot, draft.autopilot), (true, false));
    assert_eq!(published.session.ask_after_seconds, 60);
    assert_eq!(draft.session, SessionSettings::default());
    assert_eq!(draft.burst_quiet, Some(Duration::from_millis(10)));
    let side = |channel: &ChannelConfig| channel.agent.as_ref().map(|of| of.side);
    assert_eq!(
        (side(published), side(draft)),
        (Some(Side::Published), Some(Side::Draft))
    );
}

#[test]
fn mistakes_of_agents_are_told_where_they_are() {
    let twice = AGENT.replace(
        "[agent.draft]\nprovider = \"simulator\"\n",
        "[agent.draft]\nprovider = \"meta\"\nphone_number_id = \"106\"\naccess_token_env = \"A\"\n\
         app_secret_env = \"B\"\nverify_token_env = \"C\"\n",
    );
    assert_eq!(
        mistakes(&twice)[0].1,
        "the channels main and shop-draft are the same number: meta knows both as 106"
    );
    let lone = "[[agent]]\nid = \"shop\"\n[agent.draft]\nprovider = \"simulator\"\n\
                [[channel]]\nprovider = \"simulator\"\n[[agent]]\nid = \"a\"\n\
                [agent.published]\nprovider = \"simulator\"\n[[agent]]\nid = \"a\"\n\
                [agent.published]\nid = \"a-published\"\nprovider = \"simulator\"\n";
    let said = [
        (Some(2), "the agent shop has no published number"),
        (Some(5), "a channel has no id"),
        (Some(12), "two agents have the id \"a\""),
        (Some(14), "two channels have the id \"a-published\""),
    ];
    assert_eq!(mistakes(lone), said.map(|(line, says)| (line, says.to_owned())));
}

const LINKED: &str = "[[channel]]\nid = \"main\"\nprovider = \"linked\"\napi_base = \"http://127.0.0.1:3000\"\n\
                      access_token_env = \"KEY\"\nwebhook_secret_env = \"SIGN\"\n[channel.linked]\n\
                      phone = \"+62 811-0000-0011\"\n";

fn linked(text: &str) -> crate::channel::linked::LinkedSettings {
    let channel = parsed(text).expect("valid").channels.remove(0);
    match channel.provider {
        ProviderConfig::Linked(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_linked_number_knows_its_phone_its_pace_and_its_endpoint() {
    let settings = linked(&format!("public_url = \"https://bot.example/\"\n{LINKED}"));
    assert_eq!(settings.number, "6281100000011");
    assert_eq!((settings.session.as_str(), settings.per_minute), ("default", 20));
    assert_eq!(
        settings.endpoint.as_deref(),
        Some("https://bot.example/webhook/main")
    );
    let config = parsed(LINKED).expect("valid");
    let pace = config.channels[0].pace.expect("a pace");
    assert_eq!((pace.every, pace.burst), (Duration::from_secs(3), 5));
    assert!(!format!("{config:?}").contains("value-of"));
    assert_eq!(
        parsed(META).expect("valid").channels[0]
            .pace
            .expect("a pace")
            .burst,
        45
    );
}

#[test]
fn the_reference_says_what_holds_where_a_linked_channel_says_nothing() {
    let written = LINKED.replace("[channel.linked]\n", &said("[channel.linked]", &["phone"]));
    assert_eq!(format!("{:?}", linked(&written)), format!("{:?}", linked(LINKED)));
}

#[test]
fn the_mistakes_of_a_linked_number_are_told_at_once_and_one_phone_is_one_channel() {
    let told = mistakes(
        "[[channel]]\nid = \"main\"\nprovider = \"linked\"\nwebhook_secret_env = \"SIGN\"\n[channel.linked]\n\
         phone = \"0811 0000 0011\"\nsession = \"a/b\"\ntyping_ms = [2000, 800]\n",
    );
    for wanted in [
        "the channel main has no api_base",
        "the channel main has no access_token",
        "\"0811 0000 0011\" is no phone number with its country",
        "\"a/b\" can't be the name of a session",
        "typing_ms of main is [2000, 800]",
    ] {
        assert!(told.iter().any(|(_, says)| says == wanted), "{wanted}: {told:#?}");
    }
    let missing = mistakes(&LINKED.replace("phone", "owner"));
    assert_eq!(missing[0].1, "the channel main has no phone");
    let twice = mistakes(&format!("{LINKED}{}", LINKED.replace("\"main\"", "\"draft\"")));
    assert!(twice[0].1.contains("are the same number"), "{twice:?}");
}
