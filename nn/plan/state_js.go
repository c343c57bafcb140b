package plan

// Stateful says whether plans can have states.
const Stateful = true
