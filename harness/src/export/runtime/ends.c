
/* Births, executions and ends take several steps: who is there, who is gone, who reaps whom. */
//# leave leave_zombie murder reap
static void end_process(int leader, int life)
{
	for (int who = 0; who < ACTORS; who++)
		if (player[who].leader == leader && player[who].life != UNBORN) {
			player[who].life = life;
			player[who].pending = NOTHING;
		}
}

//# leave leave_zombie murder use_proc
/* The /proc of the case's pid namespace, which cases that do not look at it need for some ends only. */
static void use_proc(void)
{
	static int mounted;

	if (!mounted++)
		must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mount /proc");
}

//# leave leave_zombie murder
/* The letter in /proc of a task's state; 0 if it is gone. */
static char state_of(int process, int thread)
{
	char path[64], text[512], *end;
	ssize_t count;
	int file;

	use_proc();
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", process, thread);
	file = open(path, O_RDONLY | O_CLOEXEC);
	count = file < 0 ? 0 : read(file, text, sizeof(text) - 1);
	if (file >= 0)
		close(file);
	text[count > 0 ? count : 0] = 0;
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}
//# leave
static int parent_of(int process)
{
	char path[64], text[512], *end;
	ssize_t count;
	int file, parent = 0;

	use_proc();
	snprintf(path, sizeof(path), "/proc/%d/stat", process);
	file = open(path, O_RDONLY | O_CLOEXEC);
	count = file < 0 ? 0 : read(file, text, sizeof(text) - 1);
	if (file >= 0)
		close(file);
	text[count > 0 ? count : 0] = 0;
	end = strrchr(text, ')');
	return end && sscanf(end + 3, "%d", &parent) == 1 ? parent : 0;
}

static int lives(int who)
{
	for (int other = 0; other < ACTORS; other++)
		if (player[other].leader == player[who].leader && player[other].life == ALIVE)
			return 1;
	return 0;
}

/* An actor of the process of another, or else of that with this id, who can be asked; NOBODY if all are busy. */
static int idle_of(int parent, int process)
{
	int found = NOBODY;

	for (int who = 0; parent == NOBODY && who < ACTORS; who++)
		if (player[who].life == ALIVE && player[who].process == process)
			parent = who;
	if (parent == NOBODY)
		end(BROKEN, "nobody can reap process %d", process);
	for (int who = 0; who < ACTORS; who++)
		if (player[who].leader == player[parent].leader && player[who].life == ALIVE &&
		    player[who].pending == NOTHING && (found == NOBODY || who == parent))
			found = who;
	return found;
}

/* Was told to end: has it, and who reaps it? */
static void follow_end(int who)
{
	struct player *one = &player[who];
	int leader = one->leader, process = player[leader].process, others = 0, reaper;

	for (int other = 0; other < ACTORS; other++)
		others |= other != who && player[other].leader == leader && player[other].life == ALIVE;
	if (others) {	/* The first thread stays as a zombie until the last has ended. */
		if (who == leader ? state_of(process, one->thread) == 'Z' :
		    sys(SYS_tgkill, process, one->thread, 0) == -ESRCH) {
			one->life = DEAD;
			one->pending = NOTHING;
		}
		return;
	}
//# leave+upcalls
	if (player[leader].upcall) {	/* The kernel reaps it, and only then goes on with what it was started for. */
		if (!kernels_process(process))
			end_process(leader, DEAD);
		return;
	}
//# leave
	reaper = player[leader].parent;
	if (reaper == NOBODY || !lives(reaper)) {
		int got = waitpid(process, NULL, WNOHANG | __WALL);

		if (got == 0)
			return;
		if (got > 0) {
			end_process(leader, DEAD);
			return;
		}
		reaper = NOBODY;
	}
	reaper = idle_of(reaper, reaper == NOBODY ? parent_of(process) : 0);
	if (reaper == NOBODY)
		return;
	one->pending = REAPING;
	post(reaper, "a parent: SYS_wait4", ANSWER, CALL, 0, NOBODY, SYS_wait4, (const long[6]){ process, 0, __WALL });
	await(reaper, 5000000000ULL, BROKEN);
	if (IS_ERROR(player[reaper].result))
		end(BROKEN, "a child could not be reaped");
	end_process(leader, DEAD);
}
//# leave_zombie
static void follow_zombie(int who)
{
	int leader = player[who].leader;

	if (state_of(player[leader].process, player[leader].process) == 'Z')
		end_process(leader, ZOMBIE);
}
//# murder
static void follow_death(int who)
{
	int leader = player[player[who].other].leader, process = player[leader].process;
	int got = waitpid(process, NULL, WNOHANG | __WALL);

	if (got > 0 || (got < 0 && state_of(process, process) == 'Z')) {
		end_process(leader, got > 0 ? DEAD : ZOMBIE);
		player[who].pending = NOTHING;
	}
}
//# birth
static int reported(int who)
{
	return __atomic_load_n(&memory->slot[who].reports, __ATOMIC_SEQ_CST) > player[who].reports;
}

static void follow_birth(struct player *one, int answered)
{
	struct player *newborn = &player[one->other];
	int child = one->other, born = newborn->life == ALIVE;

	if (answered && IS_ERROR(one->result)) {
		if (one->result == -EAGAIN || one->result == -ENOMEM)
			end(BROKEN, "%s: a limit of the machine", one->said);
		one->pending = NOTHING;
		return;
	}
	if (!born && reported(child)) {
		newborn->life = ALIVE;
		newborn->reports++;
		if (!newborn->process && newborn->leader == child)
			newborn->process = memory->slot[child].pid;
		if (!newborn->thread)
			newborn->thread = memory->slot[child].tid;
		born = 1;
	}
	if (answered) {	/* What the parent says of the child's number wins. */
		newborn->thread = (int)one->result;
		if (newborn->leader == child)
			newborn->process = (int)one->result;
		if (born || newborn->life == DEAD)
			one->pending = NOTHING;
	} else if (born) {
		one->pending = memory->slot[one - player].args[0] & CLONE_VFORK ? SUSPENDED : BIRTH;
	}
}
//# execute
static void follow_execution(int who, int answered)
{
	struct player *one = &player[who];
	int leader = one->leader, process = player[leader].process;

	if (__atomic_load_n(&memory->slot[who].reports, __ATOMIC_SEQ_CST) == one->reports) {
		if (answered)
			one->pending = NOTHING;
		return;
	}
	for (int other = 0; other < ACTORS; other++)	/* Other threads are gone. */
		if (other != who && player[other].leader == leader && player[other].life != UNBORN) {
			player[other].life = DEAD;
			player[other].pending = NOTHING;
		}
	one->reports++;
	one->process = one->thread = process;
	one->leader = who;
	one->pending = NOTHING;
}
//#

/* What follows from what an actor has said, or from its end. */
static void progress(int who)
{
	struct player *one = &player[who];
	struct slot *slot = &memory->slot[who];
	int answered;

//# upcalls
	if (one->upcall && one->life == UNBORN && __atomic_load_n(&slot->reports, __ATOMIC_SEQ_CST)) {
		one->life = ALIVE;
		one->reports = 1;
		one->process = slot->pid;
		one->thread = slot->tid;
		one->inside = one->foreign = 1;	/* Its children's numbers are known to it and not to the stage. */
	}
//#
	if (__atomic_load_n(&slot->state, __ATOMIC_SEQ_CST) == ANSWERED) {
		slot->state = IDLE;
		one->answered = 1;
		one->result = slot->result;
		if (one->size) {
			one->touched = one->watched ? one->size + 64 : 0;
			while (one->touched && (unsigned char)one->out[one->touched - 1] == 0xa5)
				one->touched--;
		}
	}
	answered = one->answered;
	switch (one->pending) {
	case ANSWER:
	case SUSPENDED:
		if (answered)
			one->pending = NOTHING;
		break;
//# birth
	case BIRTH:
		follow_birth(one, answered);
		break;
//# execute
	case EXECUTION:
		follow_execution(who, answered);
		break;
//# leave
	case END:
		follow_end(who);
		break;
//# leave_zombie
	case ZOMBIE_END:
		follow_zombie(who);
		break;
//# murder
	case SIGNAL:
		if (answered)
			one->pending = IS_ERROR(one->result) ? NOTHING : DEATH;
		break;
	case DEATH:
		follow_death(who);
		break;
//# reap
	case WAIT:
		if (answered) {
			if (!IS_ERROR(one->result))
				end_process(player[one->other].leader, DEAD);
			one->pending = NOTHING;
		}
		break;
//#
	default:
		break;
	}
}
