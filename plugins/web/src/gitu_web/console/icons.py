"""The drawings of the console, each the path of a 24 by 24 picture, made of lines."""

from __future__ import annotations

ICONS = {
    "menu": "M4 7h16M4 12h16M4 17h16",
    "theme": "M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z",
    "send": "M4 12l16-8-6 16-3-7z",
    "attach": "M19 11l-7.5 7.5a4.5 4.5 0 0 1-6.5-6.5l8-8a3 3 0 0 1 4.5 4.5l-8 8a1.5 1.5 0 0 1-2-2l7-7",
    "dot": "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
    "chat": "M4 5h16v11H9l-5 4z",
    "sessions": "M5 4h14v16H5zM8 8h8M8 12h8M8 16h5",
    "connections": "M8 8l8 8M6 10a3 3 0 0 1 0-4 3 3 0 0 1 4 0M18 14a3 3 0 0 1 0 4 3 3 0 0 1-4 0",
    "devices": "M4 5h11v9H4zM2 18h13M17 9h4v10h-4z",
    "people": "M9 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M3 20c0-4 2.5-6 6-6s6 2 6 6M16 6a3 3 0 0 1 0 5M18 14c2 1 3 3 3 6",
    "permissions": "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM9 12l2 2 4-4",
    "usage": "M4 20V4M4 20h16M8 16v-5M12 16V8M16 16v-8",
    "plugins": "M9 4v4M15 4v4M6 8h12v4a6 6 0 0 1-12 0zM12 18v3",
    "settings": "M4 7h10M18 7h2M4 17h2M10 17h10M14 5v4M8 15v4M4 12h4M12 12h8M10 10v4",
    "audit": "M6 3h9l4 4v14H6zM14 3v5h5M9 13h6M9 17h6",
    "setup": "M12 3v3M12 18v3M3 12h3M18 12h3M6 6l2 2M16 16l2 2M6 18l2-2M16 8l2-2M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
    "pair": "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2z",
    "feedback": "M7 11v9H4v-9zM7 11l4-8c2 0 3 1 2 4l-1 3h6c2 0 2 2 1.500 3l-2 6c0 1-1 1-2 1H7",
}
