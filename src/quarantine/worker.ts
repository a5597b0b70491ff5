import { serveQuestions } from './serve-questions.ts';

serveQuestions();
