// What the README shows: the pictures in node/doc/pictures are made here
// (go run ./cmd/dev e2e -pictures DIR).

import { after, before, test } from 'node:test';
import { picture, until, World } from './world.mjs';

let w;
before(async () => {
  w = await World.make();
  await w.start('mina', '미나');
  await w.start('haneul', '하늘');
  await w.start('doyun', '도윤');
  await w.befriend('mina', 'haneul');
  await w.befriend('mina', 'doyun');
});
after(() => w.close());

test('lunch is arranged, and what was said goes by itself', async () => {
  const theirs = async () => JSON.parse(await w.pabal('haneul', '--json', 'read', '미나')).items;
  const said = async (text) => (await theirs()).some((m) => m.body?.text === text);
  await w.pabal('mina', 'send', '도윤', '책은 잘 받았어요. 고마워요!', '--wait', 'delivered');
  await w.stop('doyun');
  await w.pabal('mina', 'send', '도윤', '다 읽으면 돌려 드릴게요.');
  await w.pabal('mina', 'chat', 'disappear', '하늘', '1d:read');
  await until('the timer is known', async () => (await theirs()).some((m) => m.kind === 'system'));
  await w.pabal('haneul', 'send', '미나', '내일 점심 같이 먹을까요? 🍜', '--wait', 'delivered');

  const page = await w.signIn('mina', { locale: 'ko-KR' });
  await page.locator('.chats').getByRole('button', { name: /하늘/ }).click();
  const question = page.locator('article', { hasText: '내일 점심' });
  await question.hover();
  await question.getByRole('button', { name: '메시지', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: '👍' }).click();
  await question.getByRole('button', { name: /👍/ }).waitFor();
  await question.hover();
  await question.getByRole('button', { name: '메시지', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: '답장하기' }).click();
  const field = page.getByRole('textbox', { name: '메시지' });
  await field.fill('좋아요! 12시에 시청역 2번 출구에서 봐요.');
  await field.press('Enter');
  await until('it has come', () => said('좋아요! 12시에 시청역 2번 출구에서 봐요.'));
  await w.pabal('haneul', 'send', '미나', '네, 거기서 만나요.', '--wait', 'delivered');
  await page.locator('article', { hasText: '거기서 만나요' }).waitFor();
  await page.locator('article', { hasText: '12시에' }).getByText('전달됨').waitFor();
  await page.locator('.chats').getByRole('button', { name: /도윤/ }).waitFor();
  await picture(page, 'readme-conversation');

  const english = await w.signIn('mina', { colorScheme: 'dark' });
  await english.locator('.chats').getByRole('button', { name: /하늘/ }).click();
  const answer = english.locator('article', { hasText: '12시에' });
  await answer.hover();
  await answer.getByRole('button', { name: 'Message', exact: true }).click();
  await english.getByRole('dialog').getByText('Who may hold a copy').click();
  await english.getByRole('dialog').getByText(/the device of 하늘: readable/).waitFor();
  await picture(english, 'readme-copies');
});
