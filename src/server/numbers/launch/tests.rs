//! A number that waits, what it waits for, and that it never waits again.

use std::sync::Arc;

use super::*;
use crate::store::model::ModelStore;
use crate::store::{Caps, StillClock};

fn config(tables: &str, folder: &Path) -> Config {
    let text = format!("flows = \"flows\"\n{tables}");
    Config::parse(&text, &folder.join("switchboard.toml"), &|_| {
        Some("sixteen-or-more-of-these".to_owned())
    })
    .expect("valid")
}

fn door() -> Door {
    let clock = Arc::new(StillClock::at(Timestamp::UNIX_EPOCH));
    Door::Here(Arc::new(ModelStore::new(Caps::default(), clock)))
}

const CHECKED: &str = "[[channel]]\nid = \"main\"\nprovider = \"simulator\"\nlaunch = \"checked\"\n";
const TOKEN: &str = "admin_token = { env = \"ADMIN\" }\n";

fn flows(folder: &Path, business: &str, chat: &str) {
    let flows = folder.join("flows");
    std::fs::create_dir_all(&flows).unwrap();
    std::fs::write(
        flows.join("business.flow"),
        format!("business \"Shop\"\nlanguages en\n{business}"),
    )
    .unwrap();
    let shop = "flow shop \"Shop\"\nstarts on \"hi\"\n\nstep hello\n  say \"Hello!\"\n  done\n";
    std::fs::write(flows.join("shop.flow"), shop).unwrap();
    std::fs::write(flows.join("shop.chat"), chat).unwrap();
}

const GREETING: &str = "chat \"A greeting\"\n  customer Maria\n\nMaria: hi\nBot:   Hello!\n";

fn of<'a>(list: &'a Checklist, name: &str) -> &'a Item {
    list.items.iter().find(|item| item.name == name).expect(name)
}

#[tokio::test]
async fn a_number_is_launched_by_a_name_once_all_is_in_order_and_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    flows(folder.path(), "starts with shop\n", GREETING);
    let config = config(&format!("{TOKEN}{CHECKED}"), folder.path());
    let (channel, door) = (&config.channels[0], door());
    let before = examine(&config, channel, Some(&door)).await.unwrap();
    assert!(!before.lets_flows_answer());
    let open: Vec<&str> = before
        .items
        .iter()
        .filter(|item| item.stand == Stand::Open)
        .map(|item| item.name)
        .collect();
    assert_eq!(open, ["legal"], "{before:#?}");
    assert_eq!(of(&before, "hours").stand, Stand::Look, "it holds nothing up");

    let after = accept(&config, channel, &door, " Sari ").await.unwrap();
    let act = after.launched.clone().expect("launched");
    assert_eq!((act.by.as_str(), act.version), ("Sari", VERSION));
    assert!(after.lets_flows_answer());
    assert!(
        of(&after, "legal")
            .says
            .starts_with("Sari accepted version 1 on 1970-01-01")
    );

    std::fs::write(
        folder.path().join("flows/shop.chat"),
        "chat \"A greeting\"\n  customer Maria\n\nMaria: hi\nBot:   Bye!\n",
    )
    .unwrap();
    let broken = examine(&config, channel, Some(&door)).await.unwrap();
    assert_eq!(of(&broken, "tests").stand, Stand::Open);
    assert!(broken.lets_flows_answer(), "a launched number stays launched");
}

#[tokio::test]
async fn a_name_alone_does_not_launch_what_is_not_in_order_and_each_thing_has_its_next_step() {
    let folder = tempfile::tempdir().unwrap();
    flows(folder.path(), "", "");
    let config = config(CHECKED, folder.path());
    let (channel, door) = (&config.channels[0], door());
    let list = accept(&config, channel, &door, "Sari").await.unwrap();
    assert_eq!(list.launched, None);
    assert_eq!(
        of(&list, "fallback").stand,
        Stand::Done,
        "the only flow is where everybody comes in"
    );
    for name in ["tests", "recipients"] {
        let item = of(&list, name);
        assert_eq!(item.stand, Stand::Open, "{item:?}");
        assert!(item.next.is_some(), "{item:?}");
    }
    assert_eq!(of(&list, "legal").stand, Stand::Done, "what was accepted is kept");
}

#[test]
fn numbers_that_reach_people_wait_and_stand_ins_do_not() {
    let folder = Path::new("/etc");
    let number = |keys: &str| {
        let text = format!(
            "[[channel]]\nid = \"main\"\nprovider = \"meta\"\nphone_number_id = \"1\"\naccess_token_env = \"T\"\n\
             app_secret_env = \"S\"\nverify_token_env = \"V\"\n{keys}"
        );
        is_needed(&config(&text, folder).channels[0])
    };
    assert!(number(""));
    assert!(!number("launch = \"unchecked\"\n"));
    assert!(!number("api_base = \"http://127.0.0.1:4000\"\n"));
    assert!(!number("api_base = \"http://[::1]:4000\"\n"));
    assert!(number(
        "api_base = \"http://127.0.0.1:4000\"\nlaunch = \"checked\"\n"
    ));
    assert!(number("api_base = \"https://127.0.0.1.example.com\"\n"));
    let simulated = config("[[channel]]\nid = \"main\"\nprovider = \"simulator\"\n", folder);
    assert!(!is_needed(&simulated.channels[0]));
}
