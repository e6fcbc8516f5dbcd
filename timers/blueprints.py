"""The blueprints of timers, which `function_app` registers."""

from typing import Final

from timers.entries.routes import blueprint as entries
from timers.entries.write_back_routes import blueprint as write_back
from timers.forgotten.jobs import blueprint as forgotten_timers
from timers.log.routes import blueprint as timer_log
from timers.picker.routes import blueprint as picker
from timers.picker.search_routes import blueprint as search
from timers.projects.routes import blueprint as projects
from timers.running.routes import blueprint as timers
from timers.team.routes import blueprint as team
from timers.work_item_days.routes import blueprint as work_item_days
from timers.work_items.routes import blueprint as work_items
from timers.work_items.time_routes import blueprint as work_item_time


BLUEPRINTS: Final = (
    entries,
    forgotten_timers,
    picker,
    projects,
    search,
    team,
    timer_log,
    timers,
    work_item_days,
    work_item_time,
    work_items,
    write_back,
)
