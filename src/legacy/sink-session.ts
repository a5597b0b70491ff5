import type { Clock, Timer } from '../model/clock.ts';
import type { Collection } from '../model/kinds.ts';
import type { Stream as SourceStream } from '../store/guard.ts';
import type { Exchange } from './exchange.ts';
import type { StreamEnd } from './stream-end.ts';

/** The stream under a session, whoever has opened it. */
export type Line = {
  /** True where the source has opened it: it may begin with a message that only is to be refused. */
  readonly isCalled: boolean;
  /** `sent` is called once the bytes are on their way; perhaps never where the stream is over. */
  write(bytes: Buffer, sent: () => void): void;
  /** Reads no further message. */
  pause(): void;
  resume(): void;
  /** Ends it of our own accord. Its end is reported as any other is. */
  close(why: SessionEnd): void;
};

/** Why we end a stream: `ask again` where nothing is wrong, and another one is to say everything anew. */
export type SessionEnd = StreamEnd | 'ask again';

/** What one stream is about. */
export type Question = {
  /** Collections that it asks for, in the order of the exchange's initial requests. */
  readonly asked: readonly Collection[];
  readonly exchange: Exchange;
};

/** One stream of a source while it lives. */
export type Session = Question & {
  readonly line: Line;
  /** By the clock. */
  readonly started: number;
  /** The same, for the target. */
  readonly seen: SourceStream;
  readonly timers: Timer[];
  /** Messages of collections that were asked for. */
  messages: number;
  /** The initial requests are out. */
  isAsked: boolean;
  /** It is known to be open on both sides. */
  opened: boolean;
  /** The source has taken all that it was asked for. */
  survived: boolean;
  /** True while nobody knows whether the source is still there: time proves nothing then. */
  isDoubted: boolean;
  /** Told of each message as it comes, and of the end; undefined where nobody waits for one. */
  onSign: ((sign: 'message' | 'end') => void) | undefined;
  /** The operator was told that it says nothing. */
  isQuiet: boolean;
  /** Milliseconds in which we were ready to read since the first message, and since when we are; undefined = we are not. */
  listening: { readonly ms: number; readonly since: number | undefined };
  /** Called when the answer that is being sent is on its way, or never will be; undefined while there is none. */
  sent: ((hasLeft: boolean) => void) | undefined;
  /** Why it is over, or is to be. */
  end: SessionEnd | undefined;
};

/** @param isLive whether this session is the one that counts, and is to go on. */
export function newSession(line: Line, question: Question, clock: Clock, isLive: () => boolean): Session {
  const started = clock.now();
  return {
    ...question,
    line,
    started,
    seen: {
      startedAt: started,
      get isLive() {
        return isLive();
      },
    },
    timers: [],
    messages: 0,
    isAsked: false,
    opened: false,
    survived: false,
    isDoubted: false,
    onSign: undefined,
    isQuiet: false,
    listening: { ms: 0, since: undefined },
    sent: undefined,
    end: undefined,
  };
}

/** Ends a stream of our own accord; the first reason counts. */
export function endSession(session: Session, why: SessionEnd): void {
  session.end ??= why;
  session.line.close(session.end);
}

/** Milliseconds in which we were ready to read since the first message. */
export function listenedMs({ listening: { ms, since } }: Session, now: number): number {
  return since === undefined ? ms : ms + now - since;
}
