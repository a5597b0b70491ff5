import type { Prometheus } from './install.ts';
import type { Story } from './story.ts';
import { services } from './story-source.ts';

const ofGalley = { ...services(40, 'first'), 'canary/one': 'canary', bare: 'of the default namespace' };
const ofOther = { 'shop/service-0': 'of another source', 'other/one': 'one', 'other/two': 'two' };

/** Tells all of it: what can go wrong by itself does so at the same time. */
export async function tellStory(story: Story, found: Prometheus): Promise<void> {
  await story.begin(found);
  await start(story);
  await churn(story);
  await odd(story);
  await loseSource(story);
  const limits = near(story);
  await Promise.all([
    stale(story),
    certificates(story),
    folder(story),
    config(story),
    limits.then(() => misbehaves(story)),
    slowAndLost(story, limits),
  ]);
  await story.during([], () => story.lasts(1));
}

/** Nobody is there; and then all are. */
function start(story: Story): Promise<void> {
  const atStart = ['IsthmusAbsent', 'IsthmusSourceDown', 'IsthmusNoIstiodConnected'];
  return story.during(atStart, async () => {
    await story.fires('IsthmusAbsent');
    await story.certify(90);
    story.configure();
    story.galley.say(ofGalley);
    story.other.say(ofOther);
    story.lively.say({ 'live/steady': 'the same' });
    await story.startGalley();
    await story.startOthers();
    await story.startBridge();
    story.connect();
    await story.scrapes(2);
    await story.resolves(...atStart);
  });
}

/** Much changes, and all is well. */
function churn(story: Story): Promise<void> {
  return story.during([], async () => {
    const until = Date.now() + 60_000 / story.pace.waits;
    for (let i = 0; i < 10 || Date.now() < until; i++) {
      story.galley.say({ ...ofGalley, [`shop/service-${i % 40}`]: `churn-${i}` });
      await story.lasts(300 / 60_000);
      await story.scrapes(0.2);
    }
  });
}

/** What is odd, and no reason to wake somebody; istiods refuse something, and take what comes next. */
function odd(story: Story): Promise<void> {
  // A quick story does not wait longer for who is back at once than for who is not.
  return story.during(['IsthmusIstiodNotAcknowledging', 'IsthmusSourceDown'], async () => {
    await story.oddities();
    for (const istiod of story.istiods) istiod.refuses = true;
    story.galley.say({ ...ofGalley, 'shop/service-3': 'refused' });
    await story.scrapes(4);
    story.galley.say(ofGalley);
    await story.breakOff();
    await story.scrapes(4);
    await story.resolves('IsthmusIstiodNotAcknowledging', 'IsthmusSourceDown');
  });
}

/** A source is lost; the bridge is restarted meanwhile, and serves what it knew. */
function loseSource(story: Story): Promise<void> {
  const whileRestarted = ['IsthmusAbsent', 'IsthmusNoIstiodConnected'];
  return story.during(['IsthmusSourceDown', 'IsthmusServedStale', ...whileRestarted], async () => {
    await story.galley.kill();
    await story.stopBridge();
    story.leave();
    await story.startBridge();
    story.connect();
    story.keepChanging();
    await story.scrapes(4);
    await story.resolves(...whileRestarted);
  });
}

/** It stays away for long, and comes back. */
function stale(story: Story): Promise<void> {
  return story.during(['IsthmusSourceDown', 'IsthmusServedStale'], async () => {
    await story.fires('IsthmusSourceDown');
    await story.fires('IsthmusServedStale');
    await story.startGalley();
    await story.resolves('IsthmusServedStale', 'IsthmusSourceDown');
  });
}

/** A certificate is about to end, is renewed, is torn, and is mended. */
async function certificates(story: Story): Promise<void> {
  await story.during(['IsthmusCertificateNearExpiry'], async () => {
    await story.certify(2);
    await story.fires('IsthmusCertificateNearExpiry');
    await story.certify(90);
    await story.resolves('IsthmusCertificateNearExpiry');
  });
  await story.during(['IsthmusTlsFilesRefused'], async () => {
    await story.tearCertificate();
    await story.fires('IsthmusTlsFilesRefused');
    await story.certify(90);
    await story.resolves('IsthmusTlsFilesRefused');
  });
}

/** Something is in the way of the last-known-good files. */
function folder(story: Story): Promise<void> {
  return story.during(['IsthmusStateNotSaved'], async () => {
    story.blockState();
    await story.fires('IsthmusStateNotSaved');
    story.unblockState();
    await story.resolves('IsthmusStateNotSaved');
  });
}

/** A config with a mistake is read, and the right one again. */
function config(story: Story): Promise<void> {
  return story.during(['IsthmusConfigRefused'], async () => {
    story.configure({ sources: [{ name: 'galley', adress: 'mistake' }] });
    story.readConfigAgain();
    await story.fires('IsthmusConfigRefused');
    story.configure();
    story.readConfigAgain();
    await story.resolves('IsthmusConfigRefused');
  });
}

/** Much comes: near to what is taken, and more than an istiod of 1.11 receives. It lacks that until there is less. */
function near(story: Story): Promise<void> {
  const tooMuch = ['IsthmusMessageNearLimit', 'IsthmusPushNearLimit'];
  return story.during([...tooMuch, 'IsthmusIstiodNotAcknowledging'], async () => {
    story.other.say(services(1000, 'large', 4300));
    await story.fires(...tooMuch);
    story.other.say(services(1000, 'small'));
    await story.resolves(...tooMuch);
  });
}

/** A source says nothing, and all of it again; bad names come, and are mended. */
async function misbehaves(story: Story): Promise<void> {
  const all = services(1000, 'small');
  await story.during(['IsthmusGuardHolding'], async () => {
    story.other.say({});
    await story.fires('IsthmusGuardHolding');
    story.other.say(all);
    await story.resolves('IsthmusGuardHolding');
  });
  // The alert looks back by 15 minutes.
  await story.hasBeenThere(16);
  await story.during(['IsthmusQuarantineGrowing'], async () => {
    story.other.say({ ...all, 'no/such/name': 'bad', 'no/other/name': 'bad' });
    await story.fires('IsthmusQuarantineGrowing');
    story.other.say(all);
    await story.resolves('IsthmusQuarantineGrowing');
  });
}

/** One istiod is slow and one hangs, until both are well again; then all istiods are lost, and come back. */
function slowAndLost(story: Story, limits: Promise<void>): Promise<void> {
  const [slow, hanging] = story.istiods;
  const late = ['IsthmusPropagationSlow', 'IsthmusIstiodNotAcknowledging'];
  return story.during(late, async () => {
    slow.delayMs = story.pace.slowMs;
    hanging.delayMs = undefined;
    await story.fires('IsthmusIstiodNotAcknowledging');
    hanging.recover();
    await story.fires('IsthmusPropagationSlow');
    slow.recover();
    await limits;
    await story.during(['IsthmusNoIstiodConnected'], async () => {
      story.leave();
      await story.fires('IsthmusNoIstiodConnected');
      story.connect();
      await story.resolves('IsthmusNoIstiodConnected');
    });
    await story.resolves(...late);
  });
}
