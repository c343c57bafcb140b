package plan

// Stateful says whether plans can have states. In the module that JavaScript loads nothing
// can ask for them, and their code, a hundredth of it, is left out.
const Stateful = false
