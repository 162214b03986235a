"""Question wordings and answer sentences of the instruction data, by subject of the question."""

from __future__ import annotations

QUESTIONS: dict[str, list[str]] = {
    "kind": [
        "What {is} {x}?",
        "Explain in simple words what {x} {is}.",
        "Could you tell me what doctors mean by {x}?",
        "I have just read about {x}. What does the name mean?",
        "Give a short definition of {x}.",
        "How would you describe {x} to a friend?",
    ],
    "what": [
        "What happens in the body in {x}?",
        "How {does} {x} come about in the body?",
        "Explain the mechanism behind {x}.",
        "Which part of the body {does} {x} affect, and how?",
        "What goes wrong inside the body when somebody has {x}?",
    ],
    "causes": [
        "What causes {x}?",
        "Why do people get {x}?",
        "Name the main causes of {x}.",
        "What is usually behind {x}?",
        "Where {does} {x} come from?",
        "Can you list common triggers of {x}?",
    ],
    "risk": [
        "Who is most at risk of {x}?",
        "Which groups of people often get {x}?",
        "Am I likely to get {x}? Who usually does?",
        "Who should be especially careful about {x}?",
        "Name the people in whom {x} {is} more common.",
    ],
    "signs": [
        "What are the symptoms of {x}?",
        "How can I recognise {x}?",
        "Which signs point to {x}?",
        "What does someone with {x} notice?",
        "Describe the typical complaints in {x}.",
        "How {does} {x} show?",
    ],
    "tests": [
        "How {is} {x} diagnosed?",
        "Which tests are done for {x}?",
        "How do doctors find out whether it is {x}?",
        "What examinations should I expect if {x} {is} suspected?",
        "Tell me how a doctor confirms {x}.",
    ],
    "care": [
        "How {is} {x} treated?",
        "What can be done about {x}?",
        "What are the treatment options for {x}?",
        "What helps against {x}?",
        "Write a short note on the treatment of {x}.",
        "Which medicines or measures are used for {x}?",
    ],
    "prevent": [
        "How can {x} be prevented?",
        "What can I do to avoid {x}?",
        "Give some advice on preventing {x}.",
        "{Is} {x} preventable?",
        "Which habits protect against {x}?",
    ],
    "course": [
        "How long {does} {x} last?",
        "What is the outlook for people with {x}?",
        "Will {x} go away?",
        "What course {does} {x} usually take?",
        "What should I expect over time with {x}?",
    ],
    "harm": [
        "What are the possible complications of {x}?",
        "{Is} {x} dangerous?",
        "What can happen if {x} {is} not treated?",
        "Which later problems can follow {x}?",
        "How serious can {x} be?",
    ],
    "urgent": [
        "When should I see a doctor about {x}?",
        "What are the warning signs in {x}?",
        "When {does} {x} become an emergency?",
        "With {x}, when is it time to get help?",
        "Which signs of {x} must not be ignored?",
    ],
    "spread": [
        "{Is} {x} contagious?",
        "Can I catch {x} from somebody else?",
        "Can {x} be passed on to other people?",
        "Do I have to keep away from a person with {x}?",
    ],
}

# Sentences that need a list of two or more.
SEVERAL = (" are {causes}", " are {prevent}", " are {harm}")

# The answer repeats the name asked about early: it is what a small model finds hardest to keep.
ANSWERS: dict[str, list[str]] = {
    "kind": ["The term {x} means {kind}. {It} concern{s} {where}."],
    "what": ["The part of your body affected by {x} is {where}. Put simply, {what}."],
    "causes": [
        "The main causes of {x} are {causes}.",
        "The usual reason for {x} is to be found in {causes}.",
    ],
    "risk": [
        "The people most at risk of {x} are {risk}.",
        "The risk of {x} is higher if you belong to one of these groups: {risk}.",
    ],
    "signs": [
        "The main symptoms of {x} are {signs}.",
        "The symptoms of {x} that you will usually notice are {signs}.",
    ],
    "tests": [
        "The diagnosis of {x} is made by your doctor with {tests}.",
        "The tests for {x} that you can expect are {tests}.",
    ],
    "care": [
        "The treatment of {x} includes {care}.",
        "The treatment of {x} that your doctor will suggest is {care}.",
    ],
    "prevent": [
        "The best ways to avoid {x} are {prevent}.",
        "The risk of {x} can be lowered if you try {prevent}.",
    ],
    "course": [
        "The usual course is that {x} {course}.",
        "The outlook is that {x} {course}.",
    ],
    "harm": [
        "The possible complications of {x} are {harm}.",
        "The danger of {x} is that {harm} may follow.",
    ],
    "urgent": [
        "The warning signs in {x} that you must not ignore are {urgent}.",
        "The time to call a doctor about {x} has come in the case of {urgent_or}.",
    ],
    "spread": ["The answer is that {x} {spread}."],
    "no_spread": [
        "The answer is no: you cannot catch {x} from another person.",
        "The answer is no: {x} {is} not contagious.",
    ],
}
NO_PREVENTION = ["The trouble with {x} is that there is {prevent0}, but {prevent1}."]
SILENT_SIGNS = ["{X} cause{s} {signs0}; signs may be {signs_rest}."]

# What a good answer adds to the point asked about, most useful first.
SUPPORT: dict[str, tuple[str, ...]] = {
    "kind": ("signs", "what", "course", "causes"),
    "what": ("signs", "causes"),
    "causes": ("risk", "prevent", "what"),
    "risk": ("causes", "prevent", "signs"),
    "signs": ("urgent", "course", "tests"),
    "tests": ("signs", "care", "urgent"),
    "care": ("course", "urgent", "tests"),
    "prevent": ("causes", "risk", "urgent"),
    "course": ("care", "harm", "urgent"),
    "harm": ("urgent", "care"),
    "urgent": ("harm", "signs", "care"),
    "spread": ("causes", "prevent", "course"),
}
FOLLOW_UPS: dict[str, list[str]] = {
    "what": ["Inside your body, {what}.", "Put simply, {what}."],
    "causes": ["You can often put {them} down to {causes}.", "Common causes are {causes}."],
    "risk": ["You should take care if you are among {risk}.", "Most cases occur in {risk}."],
    "signs": ["You will usually notice {signs}.", "Tell your doctor about {signs}."],
    "tests": ["Your doctor can make sure with {tests}.", "You can expect {tests}."],
    "care": ["Your doctor will probably suggest {care}.", "You can be helped with {care}."],
    "prevent": ["You can protect yourself by {prevent}.", "To stay well, try {prevent}."],
    "course": ["{It} {course}."],
    "harm": ["Otherwise there is a risk of {harm}.", "If you wait too long, {harm} may follow."],
    "urgent": [
        "Please call a doctor soon in the case of {urgent_or}.",
        "Do not wait in the case of {urgent_or}.",
    ],
}
