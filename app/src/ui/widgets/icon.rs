//! Line icons, drawn as strokes on a grid of 16, so that they are crisp at every scale and take the colour of the text beside them.

use std::f32::consts::{PI, TAU};

use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, pos2};

/// An icon by what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// The cluster screen.
    Cluster,
    /// The topics screen.
    Topics,
    /// The groups screen.
    Groups,
    /// The quorum screen.
    Quorum,
    /// What goes over the wire.
    Wire,
    /// The metrics screen.
    Metrics,
    /// The events screen.
    Events,
    /// The logs screen.
    Logs,
    /// A folder.
    Folder,
    /// A broker.
    Broker,
    /// Controlled shutdown.
    Stop,
    /// Kill.
    Kill,
    /// Pause.
    Pause,
    /// Start.
    Start,
    /// Copy.
    Copy,
    /// Done, fine.
    Check,
    /// Attention.
    Warning,
    /// Broken.
    Critical,
    /// A plain fact.
    Info,
    /// Filter.
    Search,
    /// Close, clear.
    Close,
    /// Create.
    Plus,
    /// Less.
    Minus,
    /// Delete.
    Trash,
    /// What can be set.
    Settings,
    /// Light theme.
    Sun,
    /// Dark theme.
    Moon,
    /// The active controller.
    Star,
    /// Back.
    Back,
    /// Forward again.
    Forward,
    /// Sorted upwards.
    Up,
    /// Sorted downwards.
    Down,
    /// Starting, in motion.
    Clock,
    /// Heal.
    Heal,
    /// Workload.
    Pulse,
    /// The alarms screen.
    Bell,
    /// Keep in sight.
    Pin,
    /// The menu of a row.
    Dots,
    /// Choose columns.
    Columns,
    /// The durability ledger.
    Ledger,
}

impl Icon {
    /// All of them.
    pub const ALL: [Icon; 40] = [
        Icon::Wire,
        Icon::Cluster,
        Icon::Topics,
        Icon::Groups,
        Icon::Quorum,
        Icon::Metrics,
        Icon::Events,
        Icon::Logs,
        Icon::Folder,
        Icon::Broker,
        Icon::Stop,
        Icon::Kill,
        Icon::Pause,
        Icon::Start,
        Icon::Copy,
        Icon::Check,
        Icon::Warning,
        Icon::Critical,
        Icon::Info,
        Icon::Search,
        Icon::Close,
        Icon::Plus,
        Icon::Minus,
        Icon::Trash,
        Icon::Settings,
        Icon::Sun,
        Icon::Moon,
        Icon::Star,
        Icon::Back,
        Icon::Forward,
        Icon::Up,
        Icon::Down,
        Icon::Clock,
        Icon::Heal,
        Icon::Pulse,
        Icon::Bell,
        Icon::Pin,
        Icon::Dots,
        Icon::Columns,
        Icon::Ledger,
    ];
}

/// An icon in a line of text.
pub fn mark(ui: &mut egui::Ui, icon: Icon, color: Color32) {
    let side = egui::Vec2::splat(crate::ui::tokens::size::ICON);
    let (rect, _) = ui.allocate_exact_size(side, egui::Sense::hover());
    paint(ui.painter(), rect, icon, color);
}

/// Paints `icon` centred in `rect`, as large as fits.
pub fn paint(painter: &Painter, rect: Rect, icon: Icon, color: Color32) {
    let side = rect.width().min(rect.height());
    let pen = Pen { painter, origin: rect.center() - egui::vec2(side, side) / 2.0, unit: side / 16.0, color };
    match icon {
        Icon::Cluster => {
            pen.ring(8.0, 3.6, 2.1);
            pen.ring(3.6, 12.0, 2.1);
            pen.ring(12.4, 12.0, 2.1);
            pen.line(&[(7.0, 5.5), (4.6, 10.1)]);
            pen.line(&[(9.0, 5.5), (11.4, 10.1)]);
            pen.line(&[(5.7, 12.0), (10.3, 12.0)]);
        }
        Icon::Ledger => {
            pen.frame(2.6, 2.0, 13.4, 14.0);
            pen.line(&[(5.4, 2.0), (5.4, 14.0)]);
            pen.line(&[(7.4, 8.0), (8.8, 9.6), (11.4, 6.2)]);
        }
        Icon::Topics => {
            for y in [2.8, 6.7, 10.6] {
                pen.frame(2.0, y, 14.0, y + 2.6);
            }
        }
        Icon::Groups => {
            pen.ring(5.8, 5.4, 2.4);
            pen.arc(5.8, 13.6, 4.3, PI, TAU);
            pen.arc(10.9, 5.4, 2.2, -PI / 2.0, PI / 2.0);
            pen.arc(10.4, 13.6, 4.3, -PI / 2.2, 0.0);
        }
        Icon::Quorum => {
            pen.frame(2.0, 8.6, 14.0, 14.0);
            pen.line(&[(4.6, 8.6), (4.6, 2.2), (11.4, 2.2), (11.4, 8.6)]);
            pen.line(&[(6.2, 5.2), (7.6, 6.6), (9.8, 3.8)]);
        }
        Icon::Wire => {
            pen.line(&[(2.0, 5.4), (14.0, 5.4)]);
            pen.line(&[(11.0, 2.4), (14.0, 5.4), (11.0, 8.4)]);
            pen.line(&[(14.0, 11.4), (2.0, 11.4)]);
            pen.line(&[(5.0, 8.6), (2.0, 11.4), (5.0, 14.2)]);
        }
        Icon::Metrics => {
            pen.line(&[(2.0, 2.2), (2.0, 13.8), (14.2, 13.8)]);
            pen.line(&[(4.4, 10.6), (7.2, 6.6), (9.8, 8.8), (13.6, 3.6)]);
        }
        Icon::Events => {
            for y in [3.6, 8.0, 12.4] {
                pen.dot(3.0, y, 1.2);
                pen.line(&[(6.2, y), (14.0, y)]);
            }
        }
        Icon::Logs => {
            pen.frame(2.0, 2.4, 14.0, 13.6);
            pen.line(&[(4.6, 5.6), (6.8, 7.6), (4.6, 9.6)]);
            pen.line(&[(8.4, 10.4), (11.6, 10.4)]);
        }
        Icon::Folder => {
            pen.line(&[(2.0, 3.6), (6.2, 3.6), (7.8, 5.4), (14.0, 5.4), (14.0, 12.8), (2.0, 12.8), (2.0, 3.6)])
        }
        Icon::Broker => {
            pen.frame(2.2, 2.6, 13.8, 7.2);
            pen.frame(2.2, 8.8, 13.8, 13.4);
            pen.dot(4.8, 4.9, 0.9);
            pen.dot(4.8, 11.1, 0.9);
        }
        Icon::Stop => pen.frame(3.6, 3.6, 12.4, 12.4),
        Icon::Kill => {
            pen.line(&[(9.2, 1.6), (3.8, 9.0), (7.6, 9.0), (6.6, 14.4), (12.2, 6.8), (8.4, 6.8), (9.2, 1.6)]);
        }
        Icon::Pause => {
            pen.line(&[(5.4, 3.4), (5.4, 12.6)]);
            pen.line(&[(10.6, 3.4), (10.6, 12.6)]);
        }
        Icon::Start => pen.line(&[(4.8, 3.0), (12.8, 8.0), (4.8, 13.0), (4.8, 3.0)]),
        Icon::Copy => {
            pen.frame(5.6, 5.6, 13.6, 13.6);
            pen.line(&[(3.8, 10.4), (2.4, 10.4), (2.4, 2.4), (10.4, 2.4), (10.4, 3.8)]);
        }
        Icon::Check => pen.line(&[(3.0, 8.6), (6.4, 12.0), (13.0, 4.6)]),
        Icon::Warning => {
            pen.line(&[(8.0, 2.2), (14.4, 13.4), (1.6, 13.4), (8.0, 2.2)]);
            pen.line(&[(8.0, 6.4), (8.0, 9.6)]);
            pen.dot(8.0, 11.5, 0.8);
        }
        Icon::Critical => {
            pen.ring(8.0, 8.0, 6.2);
            pen.line(&[(5.8, 5.8), (10.2, 10.2)]);
            pen.line(&[(10.2, 5.8), (5.8, 10.2)]);
        }
        Icon::Info => {
            pen.ring(8.0, 8.0, 6.2);
            pen.line(&[(8.0, 7.4), (8.0, 11.2)]);
            pen.dot(8.0, 5.1, 0.85);
        }
        Icon::Search => {
            pen.ring(7.0, 7.0, 4.4);
            pen.line(&[(10.3, 10.3), (14.0, 14.0)]);
        }
        Icon::Close => {
            pen.line(&[(4.2, 4.2), (11.8, 11.8)]);
            pen.line(&[(11.8, 4.2), (4.2, 11.8)]);
        }
        Icon::Plus => {
            pen.line(&[(8.0, 3.0), (8.0, 13.0)]);
            pen.line(&[(3.0, 8.0), (13.0, 8.0)]);
        }
        Icon::Minus => pen.line(&[(3.0, 8.0), (13.0, 8.0)]),
        Icon::Settings => {
            for (y, x) in [(3.8, 10.4), (8.0, 5.4), (12.2, 9.2)] {
                pen.line(&[(2.0, y), (14.0, y)]);
                pen.dot(x, y, 1.9);
            }
        }
        Icon::Trash => {
            pen.line(&[(2.6, 4.4), (13.4, 4.4)]);
            pen.line(&[(6.0, 4.2), (6.0, 2.4), (10.0, 2.4), (10.0, 4.2)]);
            pen.line(&[(4.0, 4.6), (4.6, 13.8), (11.4, 13.8), (12.0, 4.6)]);
        }
        Icon::Sun => {
            pen.ring(8.0, 8.0, 2.9);
            for step in 0..8 {
                let (sin, cos) = (step as f32 * TAU / 8.0).sin_cos();
                pen.line(&[(8.0 + 5.0 * cos, 8.0 + 5.0 * sin), (8.0 + 6.6 * cos, 8.0 + 6.6 * sin)]);
            }
        }
        Icon::Moon => {
            pen.arc(8.0, 8.0, 5.8, PI * 0.04, PI * 1.46);
            pen.arc(10.6, 5.4, 4.2, PI * 0.23, PI * 1.27);
        }
        Icon::Star => {
            let tips: Vec<(f32, f32)> = (0..=10)
                .map(|step| {
                    let reach = if step % 2 == 0 { 6.4 } else { 2.8 };
                    let (sin, cos) = (step as f32 * PI / 5.0 - PI / 2.0).sin_cos();
                    (8.0 + reach * cos, 8.4 + reach * sin)
                })
                .collect();
            pen.line(&tips);
        }
        Icon::Back => pen.line(&[(10.0, 3.2), (5.2, 8.0), (10.0, 12.8)]),
        Icon::Forward => pen.line(&[(6.0, 3.2), (10.8, 8.0), (6.0, 12.8)]),
        Icon::Up => pen.line(&[(3.8, 10.2), (8.0, 5.8), (12.2, 10.2)]),
        Icon::Down => pen.line(&[(3.8, 5.8), (8.0, 10.2), (12.2, 5.8)]),
        Icon::Clock => {
            pen.ring(8.0, 8.0, 6.2);
            pen.line(&[(8.0, 4.4), (8.0, 8.2), (10.6, 9.8)]);
        }
        Icon::Heal => {
            pen.arc(8.0, 8.0, 5.6, -PI * 0.42, PI * 1.3);
            pen.line(&[(4.4, 0.8), (4.6, 3.6), (7.4, 3.9)]);
        }
        Icon::Bell => {
            pen.line(&[(3.6, 11.6), (4.6, 10.0), (4.6, 6.8)]);
            pen.arc(8.0, 6.4, 3.4, PI, TAU);
            pen.line(&[(11.4, 6.8), (11.4, 10.0), (12.4, 11.6), (3.6, 11.6)]);
            pen.arc(8.0, 12.2, 1.6, PI * 0.1, PI * 0.9);
        }
        Icon::Pin => {
            pen.line(&[(5.0, 2.4), (11.0, 2.4)]);
            pen.line(&[(6.0, 2.4), (6.0, 7.0), (3.8, 9.6), (12.2, 9.6), (10.0, 7.0), (10.0, 2.4)]);
            pen.line(&[(8.0, 9.6), (8.0, 14.2)]);
        }
        Icon::Dots => {
            for x in [3.4, 8.0, 12.6] {
                pen.dot(x, 8.0, 1.2);
            }
        }
        Icon::Columns => {
            pen.frame(2.4, 3.0, 13.6, 13.0);
            pen.line(&[(6.2, 3.0), (6.2, 13.0)]);
            pen.line(&[(9.8, 3.0), (9.8, 13.0)]);
        }
        Icon::Pulse => pen.line(&[(1.4, 8.6), (4.6, 8.6), (6.4, 3.2), (9.4, 13.2), (11.2, 8.6), (14.6, 8.6)]),
    }
}

struct Pen<'a> {
    painter: &'a Painter,
    origin: Pos2,
    unit: f32,
    color: Color32,
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> Pos2 {
        pos2(self.origin.x + x * self.unit, self.origin.y + y * self.unit)
    }

    fn stroke(&self) -> Stroke {
        Stroke::new((1.35 * self.unit).max(1.1), self.color)
    }

    fn line(&self, points: &[(f32, f32)]) {
        let mut points: Vec<Pos2> = points.iter().map(|&(x, y)| self.at(x, y)).collect();
        if points.len() > 2 && points.first() == points.last() {
            points.pop();
            self.painter.add(Shape::closed_line(points, self.stroke()));
        } else {
            self.painter.add(Shape::line(points, self.stroke()));
        }
    }

    fn arc(&self, x: f32, y: f32, radius: f32, from: f32, to: f32) {
        let points = (0..=20)
            .map(|step| {
                let (sin, cos) = (from + (to - from) * step as f32 / 20.0).sin_cos();
                self.at(x + radius * cos, y + radius * sin)
            })
            .collect();
        self.painter.add(Shape::line(points, self.stroke()));
    }

    fn ring(&self, x: f32, y: f32, radius: f32) {
        self.painter.circle_stroke(self.at(x, y), radius * self.unit, self.stroke());
    }

    fn dot(&self, x: f32, y: f32, radius: f32) {
        self.painter.circle_filled(self.at(x, y), radius * self.unit, self.color);
    }

    fn frame(&self, left: f32, top: f32, right: f32, bottom: f32) {
        let rect = Rect::from_min_max(self.at(left, top), self.at(right, bottom));
        self.painter.rect_stroke(rect, 1.2 * self.unit, self.stroke(), egui::StrokeKind::Middle);
    }
}
