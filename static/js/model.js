// The page of a model: its exports fetch themselves while something in them moves.
import { politePolls } from "./poll.js";

politePolls();
