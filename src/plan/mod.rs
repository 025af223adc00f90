//! From what should be and what is to what is to be done: pure, deterministic, no I/O.

mod after;
mod apart;
pub mod asks;
pub mod budget;
pub mod check;
pub mod compare;
mod context;
pub mod desired;
pub mod fan;
pub mod goals;
mod held;
pub mod instead;
pub mod live;
mod made;
pub mod maintain;
pub mod mend;
pub mod model;
pub mod moves;
mod others;
pub mod packages;
mod parallel;
pub mod paths;
pub mod place;
pub mod planner;
mod previous;
mod records;
pub mod roll;
pub mod room;
mod shared;
mod shell;
pub mod show;
mod staged;
mod stages;
pub mod versions;
pub mod view;
mod waves;
pub mod ways;

pub use model::{
    Batch, Member, Plan, ResourceChange, RoleRef, RoleView, Step, UnitChange, View, Wave,
};
pub use planner::{Input, PlanError, plan, plan_of_facts};
