"""What the notebooks search: a handbook of an office, questions with the note that answers each, road signs, and a PDF."""

from pathlib import Path

from PIL import Image, ImageDraw

NOTES = {
    "expenses": "Expenses are refunded within two weeks once a manager has approved them.",
    "approvals": "Managers approve expenses on Mondays and Thursdays.",
    "opening": "The office is closed on the last Friday of each month.",
    "visitors": "Visitors need a badge, which the reception prints when they arrive.",
    "badges": "Lost your card? Call the reception, which blocks it; a new badge costs 20 euros.",
    "remote": "Remote work needs no approval for up to two days a week.",
    "holidays": "Holidays are entered in the calendar, and the team lead approves them within three days.",
    "illness": "Sick leave of more than three days needs a doctor's note.",
    "laptops": "Laptops are replaced every four years; older ones may be bought for 100 euros.",
    "repairs": "A laptop that is broken goes to the help desk, on the second floor.",
    "secrets": "Passwords are changed only when they may be known to others.",
    "resets": "A password that was forgotten is reset at the help desk, with a badge as proof.",
    "servers": "The server room is cooled to 20 degrees, and its door is locked.",
    "invoices": "Invoices are paid after 30 days by the accounting department.",
    "canteen": "The canteen serves lunch from half past eleven to two.",
    "parking": "Parking in the yard is for visitors only; employees park behind the building.",
    "bicycles": "Bicycles may be kept in the cellar, whose key is at the reception.",
    "rooms": "Meeting rooms are booked in the calendar, for two hours at most.",
    "fire": "Fire drills take place in March and September; lifts must not be used then.",
    "start": "New employees get a laptop and a badge on their first day.",
}
"""The notes, by title."""

QUESTIONS = {
    "What happens if I lose my badge?": "badges",
    "How long does it take until expenses are paid?": "expenses",
    "I forgot my password": "resets",
    "My computer does not start": "repairs",
    "Can I work from home?": "remote",
    "When can I eat?": "canteen",
    "I am ill. What do I have to hand in?": "illness",
    "How do I reserve a place for a talk?": "rooms",
    "May I buy my old computer?": "laptops",
    "Who lets guests in?": "visitors",
    "What do I get when I start the job?": "start",
    "When is the building evacuated for practice?": "fire",
    "Where can I put my bike?": "bicycles",
    "How do I take a vacation?": "holidays",
    "When are bills paid?": "invoices",
    "Is the office open on Fridays?": "opening",
    "How much is a replacement card?": "badges",
    "When are the expenses approved?": "approvals",
    "How warm is it where the machines stand?": "servers",
    "Do I need permission to work at home?": "remote",
    "How often do I get a new laptop?": "laptops",
    "What is done with broken devices?": "repairs",
    "Where may guests leave their car?": "parking",
    "When must a secret word be replaced?": "secrets",
}
"""Judged data: questions, and the title of the note that answers each."""

CAPTIONS = {
    "stop": "Stop at the line, and drive on when the road is clear.",
    "give way": "Let the traffic on the other road go first.",
    "parking": "You may leave your car here.",
    "no entry": "No vehicle may enter this road.",
    "speed limit": "Drive at most 30 kilometres an hour.",
    "priority": "Your road has the right of way.",
}
"""What each road sign means, by name."""

PAGES = ["Salt melts ice on winter roads.", "Owls fly quietly to surprise mice.", "Bread rises because yeast makes gas."]
"""The texts of the pages of the manual."""


def draw_signs(folder: Path) -> dict[str, Path]:
    """Draw the road signs; return the files, by name."""
    files = {}
    for name in CAPTIONS:
        files[name] = folder / f"{name.replace(' ', '-')}.png"
        _sign(name).save(files[name])
    return files


def write_manual(path: Path) -> Path:
    """Write a PDF with a page for each of `PAGES`."""
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    with PdfPages(path) as file:
        for text in PAGES:
            page = Figure(figsize=(4, 2))
            page.text(0.05, 0.5, text)
            file.savefig(page)
    return path


def _sign(name: str) -> Image.Image:
    image = Image.new("RGB", (96, 96), "white")
    pen, red, blue, yellow = ImageDraw.Draw(image), "#c1121f", "#1f4ea3", "#f5c400"
    if name == "stop":
        pen.regular_polygon((48, 48, 42), 8, rotation=22, fill=red)
        pen.text((48, 48), "STOP", fill="white", anchor="mm", font_size=24)
    elif name == "give way":
        pen.polygon([(6, 14), (90, 14), (48, 88)], fill=red)
        pen.polygon([(22, 23), (74, 23), (48, 70)], fill="white")
    elif name == "parking":
        pen.rounded_rectangle((10, 10, 86, 86), 8, fill=blue)
        pen.text((48, 48), "P", fill="white", anchor="mm", font_size=60)
    elif name == "no entry":
        pen.ellipse((8, 8, 88, 88), fill=red)
        pen.rectangle((22, 41, 74, 55), fill="white")
    elif name == "speed limit":
        pen.ellipse((8, 8, 88, 88), fill="white", outline=red, width=9)
        pen.text((48, 48), "30", fill="black", anchor="mm", font_size=34)
    else:
        pen.regular_polygon((48, 48, 42), 4, rotation=45, fill=yellow, outline="black")
    return image
