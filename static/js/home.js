// Fetches itself every few seconds, politely.
import { politePolls } from "./poll.js";

politePolls();
