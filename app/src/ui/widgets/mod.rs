//! The window's own widgets. They know tokens and nothing of Kafka; each gives its controls an accessible name.

pub mod axis;
pub mod button;
pub mod card;
pub mod chart;
pub mod dialog;
pub mod empty;
pub mod field;
pub mod file_field;
pub mod histogram;
pub mod icon;
pub mod layout;
pub mod long_text;
pub mod matrix;
pub mod menu;
pub mod picker;
pub mod pill;
pub mod roster;
pub mod sparkline;
pub mod steps;
pub mod table;
pub mod table_export;
mod table_menu;
mod table_row;
pub mod tabs;
pub mod text;
pub mod tile;
pub mod toast;
