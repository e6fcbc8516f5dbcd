"""The blueprints of timers, which `function_app` registers."""

from typing import Final

from timers.entries.routes import blueprint as entries
from timers.entries.write_back_routes import blueprint as write_back
from timers.forgotten.jobs import blueprint as forgotten_timers
from timers.log.routes import blueprint as timer_log
from timers.projects.routes import blueprint as projects
from timers.running.routes import blueprint as timers
from timers.team.routes import blueprint as team
from timers.work_item_days.routes import blueprint as work_item_days
from timers.work_items.routes import blueprint as work_items


BLUEPRINTS: Final = (
    entries,
    forgotten_timers,
    projects,
    team,
    timer_log,
    timers,
    work_item_days,
    work_items,
    write_back,
)
