use super::*;

#[test]
fn a_file_s_name_says_whose_texts_it_has_and_in_which_language() {
    assert_eq!(
        source_path("flows/support.pt_BR.strings"),
        Some(("flows/support.flow".to_owned(), "pt_BR"))
    );
    assert_eq!(
        strings_path("flows/support.flow", "pt"),
        "flows/support.pt.strings"
    );
    for name in [
        "support.strings",
        "pt.strings",
        "flows/.pt.strings",
        "support.portuguese.strings",
        "support.pt.flow",
    ] {
        assert_eq!(source_path(name), None, "{name}");
    }
    assert!(same_language("pt-br", "pt_BR") && !same_language("pt", "pt_BR"));
}
