//! The icons: drawn for the panel on a grid of 24, in the colour of the text around them.

use maud::{Markup, PreEscaped, Render, html};

/// Declares the icons with the paths that draw them.
macro_rules! icons {
    ($($name:ident = $paths:literal;)*) => {
        /// An icon. It says nothing to screen readers: the words beside it do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Icon {
            $($name,)*
        }

        impl Icon {
            fn paths(self) -> &'static str {
                match self {
                    $(Self::$name => $paths,)*
                }
            }
        }
    };
}

icons! {
    Add = r#"<path d="M12 5v14M5 12h14"/>"#;
    Bolt = r#"<path d="M13 3 5 14h6l-1 7 8-11h-6z"/>"#;
    Check = r#"<path d="m5 13 4 4L19 7"/>"#;
    Clock = r#"<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5.5l3.5 2"/>"#;
    Copy = r#"<rect x="9" y="9" width="11" height="11" rx="1.5"/><path d="M5 15H4V5.5A1.5 1.5 0 0 1 5.5 4H15v1"/>"#;
    Delete = r#"<path d="M5 7h14M10 7V4.500h4V7M7 7l1 12.500h8L17 7M10.5 10.500v5.500M13.5 10.500v5.5"/>"#;
    Edit = r#"<path d="m4 20 1-4.500L16 4.500l3.5 3.5-11 11zM13.5 7l3.5 3.5"/>"#;
    First = r#"<path d="M6 5v14M18 6l-6 6 6 6"/>"#;
    Gauge = r#"<path d="M4 18a9 9 0 1 1 16 0M12 14l4-5"/><circle cx="12" cy="14.5" r="1.2"/>"#;
    Globe = r#"<circle cx="12" cy="12" r="8.5"/><path d="M3.5 12h17M12 3.500c3 2.5 3.5 5.5 3.5 8.500s-.5 6-3.5 8.500c-3-2.5-3.5-5.5-3.5-8.500S9 6 12 3.5"/>"#;
    Key = r#"<circle cx="8" cy="15.5" r="4"/><path d="M11 12.5 19 4.500M16 7.500l2.5 2.500M13.5 10l2 2"/>"#;
    Leave = r#"<path d="M14 4.500H5.500v15H14M10 12h10M17 8.500l3.5 3.5-3.5 3.5"/>"#;
    Lines = r#"<path d="M8.5 6.500H20M8.5 12H20M8.5 17.500H20M4 6.500h.5M4 12h.5M4 17.500h.5"/>"#;
    Mailbox = r#"<path d="M4 18V10a4 4 0 0 1 4-4h8a4 4 0 0 1 4 4v8zM12 18v-8a4 4 0 0 0-4-4M12 18v3M6.5 12h3M16 10V3.500h3V6h-3"/>"#;
    Menu = r#"<path d="M4 7h16M4 12h16M4 17h16"/>"#;
    Moon = r#"<circle cx="12" cy="12" r="8.5"/><path d="M12 3.500a8.5 8.5 0 0 1 0 17z" fill="currentColor"/>"#;
    Next = r#"<path d="m9 6 6 6-6 6"/>"#;
    People = r#"<circle cx="9" cy="9" r="3.2"/><path d="M3 19.500c.5-4 3-5.5 6-5.500s5.5 1.5 6 5.500M15.5 6a3 3 0 0 1 0 6M17.5 14.300c2 .7 3.2 2.3 3.5 5.2"/>"#;
    Person = r#"<circle cx="12" cy="8.5" r="3.8"/><path d="M4.5 20c.6-4.7 3.5-6.3 7.5-6.300s6.9 1.6 7.5 6.3"/>"#;
    Restore = r#"<path d="M5 9h9a5 5 0 0 1 0 10H9M8.5 5 4.5 9l4 4"/>"#;
    Route = r#"<circle cx="6" cy="18" r="2.5"/><circle cx="18" cy="6" r="2.5"/><path d="M8.5 18H15a3.5 3.5 0 0 0 0-7H9a3.5 3.5 0 0 1 0-7h6.5"/>"#;
    Search = r#"<circle cx="10.5" cy="10.5" r="6"/><path d="m15 15 5 5"/>"#;
    Send = r#"<path d="M3.5 11 20.5 4 15 20.500l-4-7zM20.5 4 11 13.5"/>"#;
    Signpost = r#"<path d="M12 3v18M12 5h6l2.5 2.500L18 10h-6M12 11.500H6L3.5 14 6 16.500h6"/>"#;
    Trash = r#"<path d="M4 12h5l1 2.500h4l1-2.500h5M4 12l2.5-6.500h11L20 12v7H4z"/>"#;
}

impl Render for Icon {
    fn render(&self) -> Markup {
        html! {
            svg.icon viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" { (PreEscaped(self.paths())) }
        }
    }
}

/// The mark of the house: a stamp with an open letter, cancelled.
pub fn stamp() -> Markup {
    html! {
        svg.stamp viewBox="0 0 48 48" width="40" height="40" aria-hidden="true" focusable="false" { (PreEscaped(STAMP)) }
    }
}

const STAMP: &str = r#"<path class="paper" d="M4 4h40v40H4z"/><path class="teeth" d="M4 4h40v40H4z"/><path class="ground" d="M9 9h30v30H9z"/><path class="letter" d="M14 19.5 24 13l10 6.500V32H14z"/><path class="fold" d="M14 19.5 24 26l10-6.5"/><path class="cancel" d="M27 41c3-2 5 2 8 0s5 2 8 0M27 37c3-2 5 2 8 0s5 2 8 0"/>"#;
