package session

const readCall = "0" // read's number among Linux's calls
