"""What does every script inherit? How a person is protected, whatever the bank's script says.

Written in the language of the scripts themselves. A script may give any of these lines other words by defining a
line of the same name; the nodes and what follows from a protected act it cannot change.
"""

BASE = """
lines:
  crisis:
    say: [您先别着急，我听到了，您的安全比什么都重要，其他的事情我们都先放下。]
    interruptible: false
  crisis_help:
    say: [我现在请专人跟您通话，您也可以随时拨打，12356，心理援助热线，请您稍等。]
    interruptible: false
  crisis_no_person:
    say: [抱歉，同事暂时没有接通，我们会尽快请专人联系您，请您照顾好自己，有紧急情况请拨打，120。]
    interruptible: false
  handoff: [好的，我帮您转接人工，请稍等。, 好的，马上为您转接人工同事，请别挂机。]
  handoff_lost: [不好意思，我没能听明白，我请人工同事跟您说，请稍等。]
  handoff_no_person: [很抱歉，人工同事现在都在忙，我已经登记了，稍后会有同事给您回电话，再见。]
  stop_calling: [好的，您不希望再接到来电的要求，我已经记下了，打扰您了，再见。]
  stop_calling_noted: [您不希望再接到来电的要求，我也记下了。, 好的，不再来电的要求，我记着了。]
  complaint: [很抱歉让您有不好的感受，您的意见我已经记录，您也可以拨打银行客服热线，或者拨打12378反映，打扰您了，再见。]
  abuse: [很抱歉让您不愉快了，我会尽快说完。, 对不起，打扰到您了，我就说两句。]
  abuse_bye: [看来您现在不方便沟通，那我先不打扰了，再见。]
  wrong_person: [不好意思，打扰您了，我们会核实这个号码，再见。]
  third_party: [您好，那麻烦您转告他本人，方便的时候给我们客服中心回个电话，可以吗？]
  third_party_again:
    - 就是请他本人方便时回个电话，麻烦您转告一声，可以吗？
    - 具体的事只能跟他本人说，您帮忙转告一下，好吗？
  third_party_thanks: [好的，谢谢您，打扰了，再见。]
  vulnerable_ill: [您先安心养好身体，这件事现在不用着急。]
  vulnerable_bereaved: [很抱歉听到这个消息，请您节哀，这件事现在不用着急。]
  vulnerable_noted: [您的情况我如实记下，会有专员再跟您商量办法，您多保重，再见。]
  vulnerable_care: [我明白，您先顾好身体和家里，不用勉强。, 您的情况我记下了，量力而行就好。]
  minor: [你好，那就不打扰了，请家里的大人方便的时候，给银行客服回个电话，再见。]
  deceased: [很抱歉听到这个消息，打扰您了，相关情况我会如实记录，请您节哀保重，再见。]
  silence: [喂，您好，能听到我说话吗？, 您好，您还在听吗？, 喂，您那边能听清吗？]
  silence_bye: [好像听不到您的声音，那我先不打扰了，再见。]
  not_understood: [不好意思，我没太听明白。, 抱歉，刚才没听清楚。, 不好意思，可能信号不太好。]
  lost_bye: [不好意思，我还是没能听清，我们换个时间再联系您，再见。]
  repeat_lead: [好的，我再说一遍。, 没关系，我再重复一下。, 那我再讲一次。]
  callback_ask: [好的，那您什么时候方便接电话呢？]
  callback_ask_again: [您看大概几点方便？, 那您说个方便的时间就可以。]
  callback_at: 好的，那就，{callback_at}，再联系您，打扰了，再见。
  callback_open: [好的，那我们晚些时候再联系您，打扰了，再见。]
  goodbye: [好的，打扰您了，再见。]
  time_up: [不好意思，今天先说到这里，我们之后再联系您，再见。]
  too_long: [今天占用您不少时间了，剩下的请人工同事跟您联系，再见。]
  legal: [您的意思我明白了，您有这个权利，我如实记录，再请人工同事跟您说。]
  who_unverified:
    - 这里是{bank}，我是智能语音助手，有件事要跟{salutation}本人说。
    - 我是{bank}的智能语音助手，有事情要找{salutation}本人。
  robot_unverified: [是的，我是智能语音助手，这通电话会录音。, 对，我不是真人，是智能语音助手，通话会录音。]
  source_unverified:
    - 这是{salutation}登记的联系电话，有件事要跟本人说。
    - 这个号码是{salutation}登记的，事情只能跟本人说。
  scam_unverified:
    - 您谨慎是对的，我不会问您要密码和验证码，您也可以打银行官方客服热线核实。
    - 不放心的话，您可以打银行官方客服热线核实，我不问密码，也不要验证码。
  need_identity: [我得先确认您的身份，才方便往下说。, 因为涉及个人信息，我需要先核对一下。]
  not_verified: [没能确认是本人，那我先不打扰了，再见。]

nodes:
  third_party:
    say: third_party
    ask: inform
    again: third_party_again
    on:
      will_relay: {say: third_party_thanks, end: third_party}
      third_party: {say: third_party_thanks, end: third_party}
      ask_identity: {say: who_unverified}
      ask_is_robot: {say: robot_unverified}
      ask_source: {say: source_unverified}
      suspect_scam: {say: scam_unverified}
    otherwise: {say: third_party_thanks, end: third_party}
  callback_ask:
    say: callback_ask
    ask: none
    again: callback_ask_again
    otherwise: {do: callback}
  not_verified: {say: not_verified, end: unclear}

protected:
  crisis: {say: [crisis, crisis_help], handoff: crisis, flags: crisis}
  abuse: {say: abuse, flags: abuse}
  stop_calling: {say: stop_calling, end: do_not_call, flags: stop_calling}
  complaint: {say: complaint, end: complaint, flags: complaint}
  request_human: {say: handoff, handoff: request_human}
  wrong_person: {say: wrong_person, end: wrong_number}
  third_party: {go: third_party}
  will_relay: {say: third_party_thanks, end: third_party}
  deceased_or_detained: {say: deceased, end: deceased_or_detained}
  call_assistant: {end: call_assistant}

vulnerable:
  ill: {say: [vulnerable_ill, vulnerable_noted], end: hardship, flags: [vulnerable, ill, hardship]}
  bereaved: {say: [vulnerable_bereaved, vulnerable_noted], end: hardship, flags: [vulnerable, bereaved, hardship]}
  minor: {say: minor, end: third_party, flags: [vulnerable, minor]}

reactions:
  anywhere:
    legal: {say: legal, handoff: legal, flags: legal}
    request_callback: {do: callback}
    goodbye: {say: goodbye, end: unclear}
    greeting: {}
  unverified:
    ask_identity: {say: who_unverified}
    ask_source: {say: source_unverified}
    ask_is_robot: {say: robot_unverified}
    suspect_scam: {say: scam_unverified}
    promise_pay: {say: need_identity}
    promise_partial: {say: need_identity}
    already_paid: {say: need_identity}
    refuse_pay: {say: need_identity}
    hardship: {say: need_identity}
    request_extension: {say: need_identity}
    request_installment: {say: need_identity}
    request_waiver: {say: need_identity}
    dispute_debt: {say: need_identity}
    dispute_amount: {say: need_identity}
    ask_amount: {say: need_identity}
    ask_due_date: {say: need_identity}
    ask_how_to_pay: {say: need_identity}
    ask_consequence: {say: need_identity}
"""
