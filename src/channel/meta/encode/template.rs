//! An approved template on the wire: its name and language, and what fills its header, body and buttons.

use serde::Serialize;

use crate::message::{MediaKind, TemplateHeader, TemplateParts};

#[derive(Serialize)]
pub(super) struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
}

#[derive(Serialize)]
struct Component<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'static str>,
    /// A number in quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    parameters: Vec<Parameter<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
enum Parameter<'a> {
    Text {
        #[serde(skip_serializing_if = "Option::is_none")]
        parameter_name: Option<&'a str>,
        text: &'a str,
    },
    Image {
        image: Link<'a>,
    },
    Video {
        video: Link<'a>,
    },
    Document {
        document: Link<'a>,
    },
    CouponCode {
        coupon_code: &'a str,
    },
    Payload {
        payload: &'a str,
    },
}

#[derive(Serialize)]
struct Link<'a> {
    link: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
}

impl<'a> Template<'a> {
    pub(super) fn of(
        name: &'a str,
        language: &'a str,
        params: &'a [String],
        parts: &'a TemplateParts,
    ) -> Template<'a> {
        let mut components = Vec::new();
        let mut add = |r#type, sub_type, index, parameters: Vec<Parameter<'a>>| {
            components.push(Component {
                r#type,
                sub_type,
                index,
                parameters,
            });
        };
        if let Some(header) = &parts.header {
            add("header", None, None, vec![in_header(header)]);
        }
        if !params.is_empty() {
            let value = |(at, text): (usize, &'a String)| Parameter::Text {
                parameter_name: parts.names.get(at).map(String::as_str),
                text,
            };
            add("body", None, None, params.iter().enumerate().map(value).collect());
        }
        for button in &parts.buttons {
            let index = Some(button.index.to_string());
            let text = button.value.as_str();
            if button.copies {
                let code = Parameter::CouponCode { coupon_code: text };
                add("button", Some("copy_code"), index, vec![code]);
            } else {
                let end = Parameter::Text {
                    parameter_name: None,
                    text,
                };
                add("button", Some("url"), index, vec![end]);
            }
        }
        for (index, reply) in parts.replies.iter().enumerate() {
            let payload = Parameter::Payload { payload: &reply.id };
            add(
                "button",
                Some("quick_reply"),
                Some(index.to_string()),
                vec![payload],
            );
        }
        Template {
            name,
            language: Language { code: language },
            components,
        }
    }
}

fn in_header(header: &TemplateHeader) -> Parameter<'_> {
    match header {
        TemplateHeader::Text(text) => Parameter::Text {
            parameter_name: None,
            text,
        },
        TemplateHeader::File { media, url, filename } => {
            let link = |filename| Link { link: url, filename };
            match media {
                MediaKind::Photo | MediaKind::Sticker => Parameter::Image { image: link(None) },
                MediaKind::Video => Parameter::Video { video: link(None) },
                MediaKind::Document | MediaKind::Voice | MediaKind::Audio => Parameter::Document {
                    document: link(filename.as_deref()),
                },
            }
        }
    }
}
